//! Passwords from a file in libpq's format, `host:port:database:user:password` a line.
//!
//! A file that others may read is refused, as libpq refuses it. What the file holds never reaches an error.

use std::path::{Path, PathBuf};

use crate::ConnectionUrl;
use crate::private_file::{self, PrivateFileError};

const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Folders that libpq takes for `localhost` when it looks into a passfile.
const DEFAULT_SOCKET_FOLDERS: [&str; 3] = ["/tmp", "/run/postgresql", "/var/run/postgresql"];

/// Why a passfile was not used.
#[derive(Debug, thiserror::Error)]
pub enum PassfileError {
    /// It cannot be read.
    #[error("passfile `{}` cannot be read", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is a folder, a pipe or a device.
    #[error("passfile `{}` is not a plain file", path.display())]
    NotPlain {
        /// Which file.
        path: PathBuf,
    },
    /// Others than its owner may use it.
    #[error("passfile `{}` can be used by others (its mode is {mode:04o})", path.display())]
    Permissions {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is larger than any list of passwords.
    #[error("passfile `{}` is larger than {FILE_BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
    },
}

impl PassfileError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "check the path in `passfile=` or PGPASSFILE, and who may read it",
            Self::NotPlain { .. } => "name a plain file of lines `host:port:database:user:password`",
            Self::Permissions { .. } => "make it yours alone: `chmod 600 FILE`",
            Self::TooLarge { .. } => "a passfile holds lines `host:port:database:user:password`",
        }
    }
}

/// The password for a URL, or `None` when no line fits.
pub(crate) fn password_in(path: &Path, url: &ConnectionUrl) -> Result<Option<String>, PassfileError> {
    let text = private_file::read(path, FILE_BYTES_MAX).map_err(|error| {
        let path = path.to_owned();
        match error {
            PrivateFileError::Read(source) => PassfileError::Read { path, source },
            PrivateFileError::NotPlain => PassfileError::NotPlain { path },
            PrivateFileError::Permissions { mode } => PassfileError::Permissions { path, mode },
            PrivateFileError::TooLarge => PassfileError::TooLarge { path },
        }
    })?;
    Ok(find(&text, url))
}

/// The password of the first line that fits.
pub(crate) fn find(text: &str, url: &ConnectionUrl) -> Option<String> {
    let port = url.port().to_string();
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let (host, rest) = field(line)?;
        let (line_port, rest) = field(rest)?;
        let (database, rest) = field(rest)?;
        let (user, password) = field(rest)?;
        let fits = host_fits(&host, url.host())
            && fits(&line_port, &port)
            && fits(&database, url.database())
            && fits(&user, url.user());
        // As in libpq, a colon in the password needs no escape.
        fits.then(|| unescape(password))
    })
}

enum Field {
    Any,
    Exactly(String),
}

fn fits(field: &Field, value: &str) -> bool {
    match field {
        Field::Any => true,
        Field::Exactly(text) => text == value,
    }
}

fn host_fits(field: &Field, host: &str) -> bool {
    fits(field, host) || (DEFAULT_SOCKET_FOLDERS.contains(&host) && fits(field, "localhost"))
}

/// One field up to its colon, and what follows.
fn field(line: &str) -> Option<(Field, &str)> {
    if let Some(rest) = line.strip_prefix("*:") {
        return Some((Field::Any, rest));
    }
    let mut text = String::new();
    let mut letters = line.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            ':' => return Some((Field::Exactly(text), line.get(at + 1..)?)),
            '\\' => text.push(letters.next()?.1),
            _ => text.push(letter),
        }
    }
    None
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        // A backslash at the very end stands for itself.
        plain.push(if letter == '\\' { letters.next().unwrap_or('\\') } else { letter });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, url: &str) -> Option<String> {
        find(text, &ConnectionUrl::parse(url).unwrap())
    }

    #[test]
    fn the_first_fitting_line_gives_the_password() {
        let text = "# h:5432:d:u:comment\nh:5433:d:u:other\nh:*:d:u:first\n*:*:*:*:last\n";
        assert_eq!(found(text, "postgres://u@h/d").as_deref(), Some("first"));
        assert_eq!(found(text, "postgres://u@elsewhere/d").as_deref(), Some("last"));
        assert_eq!(found("h:5432:d:other:x", "postgres://u@h/d"), None);
    }

    #[test]
    fn escapes_and_colons_follow_libpq() {
        let text = "\\:\\:1:5432:my\\\\db:u:p:a\\:s\\\\s\\";
        assert_eq!(found(text, "postgres://u@[::1]/my%5Cdb").as_deref(), Some("p:a:s\\s\\"));
        assert_eq!(found("broken\nh:1", "postgres://u@h/d"), None);
    }

    #[test]
    fn a_default_socket_folder_is_localhost() {
        assert_eq!(found("localhost:5432:d:u:x", "postgres://u@%2Ftmp/d").as_deref(), Some("x"));
        assert_eq!(found("localhost:5432:d:u:x", "postgres://u@%2Fother/d"), None);
    }
}
