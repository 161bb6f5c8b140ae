//! Connection URLs with a redacting type.
//!
//! A password that entered here leaves only through [`ConnectionUrl::password`], which the drivers and the
//! passfile writer call; `Display`, `Debug` and every error hide it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::passfile::PassfileError;

/// How far a connection is protected, in libpq's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// Plain text only.
    Disable,
    /// TLS where the server offers it (libpq's default); no certificate is checked.
    Prefer,
    /// TLS or nothing; no certificate is checked unless `sslrootcert` is given, as in libpq.
    Require,
    /// TLS with a certificate of a known authority.
    VerifyCa,
    /// TLS with a certificate of a known authority for this very host name.
    VerifyFull,
}

/// A `postgres://` URL, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionUrl {
    host: String,
    port: u16,
    user: String,
    database: String,
    password: Option<String>,
    tls: TlsMode,
    root_certificate: Option<PathBuf>,
    passfile: Option<PathBuf>,
    connect_timeout: Duration,
}

/// What is wrong with a URL; the URL itself is never in the text.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// It does not begin as a Postgres URL does.
    #[error("a connection URL starts with `postgres://` or `postgresql://`")]
    Scheme,
    /// A part is missing that cannot be guessed safely.
    #[error("the connection URL names no {0}")]
    Missing(&'static str),
    /// A part cannot be read.
    #[error("the connection URL's {part} cannot be read")]
    Invalid {
        /// Which part.
        part: &'static str,
    },
    /// A parameter after `?` that is not known here.
    #[error("unknown parameter `{0}` in the connection URL")]
    UnknownParameter(String),
    /// `env:` is followed by something that is no variable's name.
    #[error("`env:` is not followed by the name of a variable")]
    VariableName,
    /// The variable of `env:NAME` has no value.
    #[error("the variable `{0}` is not set")]
    UnsetVariable(String),
    /// The passfile cannot be used.
    #[error(transparent)]
    Passfile(#[from] PassfileError),
}

impl UrlError {
    /// What to do next, where that is more than the message says.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Scheme | Self::Missing(_) => {
                Some("write `postgres://user@host:port/database`, or `env:NAME` for a variable that holds it")
            }
            Self::Invalid { .. } => Some("in a user or password, `@ : / ? # %` are written `%40 %3A %2F %3F %23 %25`"),
            Self::UnknownParameter(_) => Some("known: `sslmode`, `sslrootcert`, `passfile`, `connect_timeout`"),
            Self::VariableName => Some("write `env:NAME`, with letters, digits and `_` in the name"),
            Self::UnsetVariable(_) => Some("set it before the command, for example `export NAME=postgres://...`"),
            Self::Passfile(error) => Some(error.hint()),
        }
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

impl ConnectionUrl {
    /// Reads `postgres://user[:password]@host[:port]/database[?parameter=value&...]`.
    ///
    /// # Errors
    /// When a part is missing, unreadable or unknown.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let rest =
            text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://")).ok_or(UrlError::Scheme)?;
        let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, query)| (rest, query));
        let (authority, database) = rest.split_once('/').ok_or(UrlError::Missing("database"))?;
        // A raw `@` or `/` here is most likely the rest of a password that was not percent-encoded: to go on
        // would connect elsewhere and show that rest as a database or parameter.
        if database.contains(['@', '/']) || query.contains('@') {
            return Err(UrlError::Invalid { part: "password, database or parameters" });
        }
        let (login, address) = authority.rsplit_once('@').ok_or(UrlError::Missing("user"))?;
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(decode(password, "password")?)),
            None => (login, None),
        };
        let (host, port) = split_address(address)?;
        let mut url = Self {
            host: decode(host, "host")?,
            port,
            user: decode(user, "user")?,
            database: decode(database, "database")?,
            password,
            tls: TlsMode::Prefer,
            root_certificate: None,
            passfile: None,
            connect_timeout: CONNECT_TIMEOUT,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            url.set_parameter(pair)?;
        }
        for (part, value) in [("host", &url.host), ("user", &url.user), ("database", &url.database)] {
            if value.is_empty() {
                return Err(UrlError::Missing(part));
            }
        }
        Ok(url)
    }

    fn set_parameter(&mut self, pair: &str) -> Result<(), UrlError> {
        let (key, value) = pair.split_once('=').ok_or(UrlError::Invalid { part: "parameters" })?;
        let value = decode(value, "parameters")?;
        match key {
            "sslmode" => {
                self.tls = match value.as_str() {
                    "disable" => TlsMode::Disable,
                    "allow" | "prefer" => TlsMode::Prefer,
                    "require" => TlsMode::Require,
                    "verify-ca" => TlsMode::VerifyCa,
                    "verify-full" => TlsMode::VerifyFull,
                    _ => return Err(UrlError::Invalid { part: "sslmode" }),
                }
            }
            "sslrootcert" => self.root_certificate = Some(value.into()),
            "passfile" => self.passfile = Some(value.into()),
            "connect_timeout" => {
                let seconds = value.parse().map_err(|_| UrlError::Invalid { part: "connect_timeout" })?;
                self.connect_timeout = Duration::from_secs(seconds);
            }
            other if other.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') => {
                return Err(UrlError::UnknownParameter(other.to_owned()));
            }
            _ => return Err(UrlError::Invalid { part: "parameters" }),
        }
        Ok(())
    }

    /// The server's host name or address; one that starts with `/` is a folder with a Unix socket.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The server's TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The role that logs in.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The database's name.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The secret itself: for drivers and passfiles, for nothing that prints.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// How far the connection is protected.
    #[must_use]
    pub fn tls(&self) -> TlsMode {
        self.tls
    }

    /// The file of trusted authorities, from `sslrootcert`.
    #[must_use]
    pub fn root_certificate(&self) -> Option<&std::path::Path> {
        self.root_certificate.as_deref()
    }

    /// A passfile named in the URL, in libpq's format.
    #[must_use]
    pub fn passfile(&self) -> Option<&std::path::Path> {
        self.passfile.as_deref()
    }

    /// How long a connection may take to come about.
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// The whole URL but for its password, as [`ConnectionUrl::parse`] reads it: for a process of ours that
    /// gets the password apart.
    #[must_use]
    pub fn to_url_without_password(&self) -> String {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mode = match self.tls {
            TlsMode::Disable => "disable",
            TlsMode::Prefer => "prefer",
            TlsMode::Require => "require",
            TlsMode::VerifyCa => "verify-ca",
            TlsMode::VerifyFull => "verify-full",
        };
        let mut url = format!(
            "postgres://{}@{}:{}/{}?sslmode={mode}&connect_timeout={}",
            encode(&self.user),
            encode(&self.host),
            self.port,
            encode(&self.database),
            self.connect_timeout.as_secs()
        );
        for (name, path) in [("sslrootcert", &self.root_certificate), ("passfile", &self.passfile)] {
            if let Some(path) = path {
                url.push_str(&format!("&{name}={}", encode(&path.to_string_lossy())));
            }
        }
        url
    }

    /// The same place for another role.
    #[must_use]
    pub fn with_login(&self, user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: Some(password.into()), ..self.clone() }
    }

    /// The same place with a password from elsewhere (environment, passfile).
    #[must_use]
    pub fn with_password(&self, password: impl Into<String>) -> Self {
        Self { password: Some(password.into()), ..self.clone() }
    }
}

fn split_address(address: &str) -> Result<(&str, u16), UrlError> {
    const DEFAULT_PORT: u16 = 5432;
    let port_of = |text: &str| text.parse().map_err(|_| UrlError::Invalid { part: "port" });
    if let Some(bracketed) = address.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or(UrlError::Invalid { part: "host" })?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, port_of(port)?)),
            None if after.is_empty() => Ok((host, DEFAULT_PORT)),
            None => Err(UrlError::Invalid { part: "host" }),
        };
    }
    match address.rsplit_once(':') {
        Some((host, port)) => Ok((host, port_of(port)?)),
        None => Ok((address, DEFAULT_PORT)),
    }
}

fn decode(text: &str, part: &'static str) -> Result<String, UrlError> {
    percent_decode_str(text).decode_utf8().map(Into::into).map_err(|_| UrlError::Invalid { part })
}

/// The URL without its password and parameters: safe to print anywhere.
impl fmt::Display for ConnectionUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "postgres://{}@{}:{}/{}", self.user, self.host, self.port, self.database)
    }
}

impl fmt::Debug for ConnectionUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_and_the_password_is_hidden() {
        let url = ConnectionUrl::parse("postgres://ann:s%40crt:x@db.example:6432/shop?sslmode=verify-full").unwrap();
        assert_eq!((url.user(), url.host(), url.port(), url.database()), ("ann", "db.example", 6432, "shop"));
        assert_eq!(url.password(), Some("s@crt:x"));
        assert_eq!(url.tls(), TlsMode::VerifyFull);
        for shown in [url.to_string(), format!("{url:?}")] {
            assert_eq!(shown, "postgres://ann@db.example:6432/shop");
        }
    }

    #[test]
    fn a_socket_folder_and_an_ipv6_address_are_hosts() {
        let url = ConnectionUrl::parse("postgresql://ann@%2Frun%2Fpg:5433/shop").unwrap();
        assert_eq!((url.host(), url.port()), ("/run/pg", 5433));
        assert_eq!(ConnectionUrl::parse("postgres://ann@[::1]/shop").unwrap().host(), "::1");
    }

    #[test]
    fn the_url_without_its_password_reads_back_as_the_same_place() {
        let text = "postgres://an%20n:pw@%2Frun%2Fpg:5433/sh%C3%B6p?sslmode=verify-full&sslrootcert=/etc/ca%26.pem";
        let url = ConnectionUrl::parse(text).unwrap();
        let again = ConnectionUrl::parse(&url.to_url_without_password()).unwrap();
        assert_eq!(again.password(), None);
        assert_eq!(again.with_password("pw"), url);
    }

    #[test]
    fn errors_never_repeat_what_was_written() {
        for text in ["mysql://u:hunter2@h/d", "postgres://u:hunter2@h", "postgres://u:hunter2@h:x/d", "hunter2"] {
            let error = ConnectionUrl::parse(text).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
