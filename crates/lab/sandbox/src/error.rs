//! What can go wrong with a sandbox server, with the remedy where there is one.

use std::fmt;
use std::path::PathBuf;

/// Why a server could not be found, started, asked or stopped.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A major version that `servers.txt` does not pin.
    #[error("no Postgres {major} is known here, only {known}")]
    UnknownVersion {
        /// The version asked for.
        major: u16,
        /// The versions there are, separated by commas.
        known: String,
    },
    /// A pinned server is not in the cache, or is there in another version than the pinned one.
    #[error("Postgres {major} is not in `{}`", folder.display())]
    ServerMissing {
        /// The version asked for.
        major: u16,
        /// Where it would be.
        folder: PathBuf,
    },
    /// The NATS server is not in the cache.
    #[error("the NATS server is not in `{}`", folder.display())]
    NatsMissing {
        /// Where it would be.
        folder: PathBuf,
    },
    /// The library that moves a process's clock is not installed.
    #[error("libfaketime, by which tests move a clock, is not installed")]
    ClockMissing,
    /// The package of this version holds the server alone.
    #[error("Postgres {major} comes without client tools")]
    NoClientTools {
        /// The version asked for.
        major: u16,
    },
    /// Root must not run servers itself, and the account for them does not exist.
    #[error("the account `{name}` that runs servers for root does not exist")]
    AccountMissing {
        /// The account's name.
        name: &'static str,
    },
    /// Neither of the variables that tell where the cache is has a value.
    #[error("neither XDG_CACHE_HOME nor HOME is set, so the servers' cache cannot be found")]
    NoCacheFolder,
    /// The servers' account cannot enter a folder.
    #[error("the account that runs servers cannot enter `{}`", folder.display())]
    FolderClosed {
        /// The folder that is closed to it.
        folder: PathBuf,
    },
    /// A file or folder could not be used.
    #[error("could not {action} `{}`", path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A program could not be run at all.
    #[error("could not run `{program}`")]
    Run {
        /// The program's name.
        program: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A program ended with a failure.
    #[error("`{program}` failed: {message}")]
    Failed {
        /// The program's name.
        program: String,
        /// The end of what it said.
        message: String,
    },
    /// Something took longer than its limit.
    #[error("{what} took longer than {seconds} s")]
    TimedOut {
        /// What did.
        what: String,
        /// The limit in seconds.
        seconds: u64,
    },
    /// A program said more than this crate keeps.
    #[error("`{program}` wrote more than {bytes} bytes")]
    OutputTooLong {
        /// The program's name.
        program: String,
        /// The limit in bytes.
        bytes: u64,
    },
    /// The server ended instead of becoming ready.
    #[error("Postgres {major} did not start; the end of its log:\n{log}")]
    NotStarted {
        /// Its version.
        major: u16,
        /// The last lines of its log.
        log: String,
    },
    /// The NATS server ended instead of becoming ready.
    #[error("the NATS server did not start; the end of its log:\n{log}")]
    NatsNotStarted {
        /// The last lines of its log.
        log: String,
    },
    /// No free port was found within the limit of attempts.
    #[error("no free port on loopback after {attempts} attempts")]
    NoFreePort {
        /// How many ports were tried.
        attempts: u32,
    },
    /// A process survived every signal.
    #[error("a process of the server in `{}` could not be ended", folder.display())]
    Unstoppable {
        /// The server's folder.
        folder: PathBuf,
    },
}

impl Error {
    /// The next step, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::ServerMissing { .. }
            | Self::NatsMissing { .. }
            | Self::AccountMissing { .. }
            | Self::ClockMissing => "run `make setup`",
            Self::NoClientTools { .. } => "use those of a later version",
            Self::FolderClosed { .. } => "choose a folder that everyone may enter, for instance by TMPDIR",
            _ => return None,
        };
        Some(hint.into())
    }

    /// For `map_err` on file operations.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}

/// As `Display`, with causes and the hint: this is what a test that unwraps shows.
impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(formatter, ": {error}")?;
            cause = error.source();
        }
        match self.hint() {
            Some(hint) => write!(formatter, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_server_names_the_remedy_even_when_unwrapped() {
        let error = Error::ServerMissing { major: 18, folder: "/cache".into() };
        assert_eq!(format!("{error:?}"), "Postgres 18 is not in `/cache`\nhint: run `make setup`");
        let error = Error::NatsMissing { folder: "/cache".into() };
        assert_eq!(format!("{error:?}"), "the NATS server is not in `/cache`\nhint: run `make setup`");
    }
}
