//! Where the gateway listens: a TCP address or a folder for a Unix socket.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// An address to listen on, written `host:port`, `[::1]:port` or `/folder:port`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListenAddress {
    /// A host name or an IP address (an IPv6 one without its brackets).
    Tcp {
        /// Which interface; `0.0.0.0` and `::` are all of them.
        host: String,
        /// The port.
        port: u16,
    },
    /// A socket file, named as Postgres names its own so that its clients find it.
    Unix {
        /// An absolute path.
        folder: PathBuf,
        /// The port that the file's name holds.
        port: u16,
    },
}

/// Why a text is no address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// Nothing after the last `:`, or no `:` at all.
    #[error("the address has no port")]
    NoPort,
    /// Not a number from 1 to 65535.
    #[error("the port is not a whole number from 1 to 65535")]
    Port,
    /// Not a name and not an address.
    #[error("the host is neither a name nor an IP address")]
    Host,
    /// A path that depends on where the program was started.
    #[error("the folder of a Unix socket has to be an absolute path")]
    RelativeFolder,
    /// The system's limit for the path of a socket.
    #[error("the path of the Unix socket is longer than {SOCKET_PATH_BYTES_MAX} bytes")]
    LongFolder,
}

/// What `sockaddr_un` holds on Linux, without the zero at its end.
const SOCKET_PATH_BYTES_MAX: usize = 107;
const HOST_BYTES_MAX: usize = 253;

impl ListenError {
    /// What to do next.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::NoPort | Self::Port => "write `host:port`, for example `127.0.0.1:6432`, or `/folder:port`",
            Self::Host => "write a name, `127.0.0.1` or `\"[::1]:6432\"`; all interfaces are `0.0.0.0` and `[::]`",
            Self::RelativeFolder | Self::LongFolder => "write a short absolute path, for example `/run/atalaya:6432`",
        }
    }
}

impl ListenAddress {
    /// The file of a Unix socket; `None` for a TCP address.
    #[must_use]
    pub fn socket_file(&self) -> Option<PathBuf> {
        match self {
            Self::Tcp { .. } => None,
            Self::Unix { folder, port } => Some(socket_file(folder, *port)),
        }
    }
}

fn socket_file(folder: &Path, port: u16) -> PathBuf {
    folder.join(format!(".s.PGSQL.{port}"))
}

impl FromStr for ListenAddress {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        let (place, port) = text.rsplit_once(':').ok_or(ListenError::NoPort)?;
        if port.is_empty() || port.ends_with(']') {
            return Err(ListenError::NoPort);
        }
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port > 0).ok_or(ListenError::Port)?;
        if place.contains('/') {
            let folder = PathBuf::from(place);
            if !folder.is_absolute() {
                return Err(ListenError::RelativeFolder);
            }
            if place.contains('\0') || socket_file(&folder, port).as_os_str().len() > SOCKET_PATH_BYTES_MAX {
                return Err(ListenError::LongFolder);
            }
            return Ok(Self::Unix { folder, port });
        }
        let host = match place.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
            Some(inside) => {
                // Written in one way only, so that one address is not taken for two.
                let address = inside.and_then(|inside| inside.parse::<Ipv6Addr>().ok()).ok_or(ListenError::Host)?;
                address.to_string()
            }
            None if is_host(place) => place.to_ascii_lowercase(),
            None => return Err(ListenError::Host),
        };
        Ok(Self::Tcp { host, port })
    }
}

fn is_host(text: &str) -> bool {
    (1..=HOST_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(formatter, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(formatter, "{host}:{port}"),
            Self::Unix { folder, port } => write!(formatter, "{}:{port}", folder.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_shown_as_it_is_written() {
        for text in ["127.0.0.1:6432", "db-1.example_x:1", "[::1]:6432", "[::]:65535", "/run/atalaya:6432", "/:1"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        let socket = "/run/a:6432".parse::<ListenAddress>().unwrap();
        assert_eq!(socket.socket_file(), Some("/run/a/.s.PGSQL.6432".into()));
        assert_eq!("LOCALHOST:1".parse::<ListenAddress>(), "localhost:1".parse());
        assert_eq!("[0:0::1]:1".parse::<ListenAddress>(), "[::1]:1".parse());
    }

    #[test]
    fn what_is_no_address_is_named() {
        let long = format!("/{}:6432", "x".repeat(100));
        for (text, error) in [
            ("", ListenError::NoPort),
            ("6432", ListenError::NoPort),
            ("host:", ListenError::NoPort),
            ("[::1]", ListenError::NoPort),
            ("host:0", ListenError::Port),
            ("host:+1", ListenError::Port),
            ("host:65536", ListenError::Port),
            (":6432", ListenError::Host),
            ("*:6432", ListenError::Host),
            ("::1:6432", ListenError::Host),
            ("[host]:6432", ListenError::Host),
            ("run/atalaya:6432", ListenError::RelativeFolder),
            (&long, ListenError::LongFolder),
        ] {
            assert_eq!(text.parse::<ListenAddress>(), Err(error), "{text}");
        }
    }
}
