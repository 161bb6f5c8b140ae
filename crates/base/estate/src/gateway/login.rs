//! How the gateway logs in at a server: the secret is named in the estate file, and read when it is needed.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::private_file::{self, PrivateFileError};
use crate::reference::is_variable_name;

/// The login at a server for one user of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLogin {
    /// The role at the server; `None` for the name that the client gave.
    pub user: Option<String>,
    /// Where its secret is.
    pub secret: SecretSource,
}

/// Where a secret is, written `env:NAME` or `file:PATH`; never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// The value of a variable, as it is.
    Variable(String),
    /// The text of a file that its owner alone may use, without one line end at its end.
    File(PathBuf),
}

/// A secret that was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself: for a login, for nothing that prints.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(***)")
    }
}

/// Why a text names no secret; the text, which may be one, is never in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Most likely the secret itself.
    #[error("neither `env:NAME` nor `file:PATH`")]
    Unknown,
    /// `env:` is followed by something that is no variable's name.
    #[error("`env:` without the name of a variable")]
    VariableName,
    /// `file:` is followed by nothing.
    #[error("`file:` without a path")]
    NoPath,
}

/// Why a secret could not be read; nothing of it is in the text.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable has no value.
    #[error("the variable `{0}` is not set")]
    UnsetVariable(String),
    /// Nothing is in it.
    #[error("the secret at `{0}` is empty")]
    Empty(SecretSource),
    /// It is larger than any server accepts.
    #[error("the secret at `{0}` is larger than {SECRET_BYTES_MAX} bytes")]
    TooLarge(SecretSource),
    /// It cannot be sent: a zero byte ends a text in the protocol.
    #[error("the secret at `{0}` holds a zero byte")]
    ZeroByte(SecretSource),
    /// The file cannot be read.
    #[error("the secret's file `{}` cannot be read", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is a folder, a pipe or a device.
    #[error("the secret's file `{}` is not a plain file", path.display())]
    NotPlain {
        /// Which file.
        path: PathBuf,
    },
    /// Others than its owner may use it.
    #[error("the secret's file `{}` can be used by others (its mode is {mode:04o})", path.display())]
    Permissions {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// As it is written in the estate file.
impl fmt::Display for SecretSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(formatter, "env:{name}"),
            Self::File(path) => write!(formatter, "file:{}", path.display()),
        }
    }
}

/// As much as Postgres takes of a password.
const SECRET_BYTES_MAX: usize = 65_535;
/// A secret and the line end after it.
const FILE_BYTES_MAX: u64 = 65_537;

impl SecretError {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::UnsetVariable(_) => "set it in the environment of the gateway",
            Self::Empty(_) | Self::TooLarge(_) | Self::ZeroByte(_) => {
                "it has to hold the password of the server's role and nothing else"
            }
            Self::Read { .. } => "check the path after `file:`, and who may read it",
            Self::NotPlain { .. } => "name a plain file that holds the password and nothing else",
            Self::Permissions { .. } => "make it the gateway's alone: `chmod 600 FILE`",
        }
    }
}

impl SecretSource {
    /// Reads `env:NAME` or `file:PATH`; a relative path is taken from `folder`.
    ///
    /// # Errors
    /// When the text is neither; the text is not repeated.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, SourceError> {
        if let Some(name) = text.strip_prefix("env:") {
            let known = is_variable_name(name).then(|| Self::Variable(name.to_owned()));
            return known.ok_or(SourceError::VariableName);
        }
        match text.strip_prefix("file:") {
            Some("") => Err(SourceError::NoPath),
            Some(path) => Ok(Self::File(folder.join(path))),
            None => Err(SourceError::Unknown),
        }
    }

    /// Reads the secret; `lookup` gives the values of variables. Called at each start and reload, so that a
    /// secret can be changed without a change of the estate file.
    ///
    /// # Errors
    /// When it is not there, cannot be a password, or lies in a file that others may use.
    pub fn read(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Secret, SecretError> {
        let secret = match self {
            Self::Variable(name) => lookup(name).ok_or_else(|| SecretError::UnsetVariable(name.clone()))?,
            Self::File(path) => without_line_end(self.file_text(path)?),
        };
        if secret.is_empty() {
            return Err(SecretError::Empty(self.clone()));
        }
        if secret.len() > SECRET_BYTES_MAX {
            return Err(SecretError::TooLarge(self.clone()));
        }
        if secret.contains('\0') {
            return Err(SecretError::ZeroByte(self.clone()));
        }
        Ok(Secret(secret))
    }

    fn file_text(&self, path: &Path) -> Result<String, SecretError> {
        let path = path.to_owned();
        private_file::read(&path, FILE_BYTES_MAX).map_err(|error| match error {
            PrivateFileError::Read(source) => SecretError::Read { path, source },
            PrivateFileError::NotPlain => SecretError::NotPlain { path },
            PrivateFileError::Permissions { mode } => SecretError::Permissions { path, mode },
            PrivateFileError::TooLarge => SecretError::TooLarge(self.clone()),
        })
    }
}

/// Editors and `echo` end a file with a line end that is not meant; more than one is.
fn without_line_end(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}
