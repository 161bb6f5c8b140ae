//! Why a demo ended early.

use std::path::PathBuf;

use atalaya_data::size::bytes;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The servers would fill the disk.
    #[error("`{}` has {} free, and the demo needs {}", folder.display(), bytes(*free_bytes), bytes(*needed_bytes))]
    DiskShort {
        /// Where the servers would live.
        folder: PathBuf,
        /// Free bytes there.
        free_bytes: u64,
        /// Bytes that may be needed.
        needed_bytes: u64,
    },
    /// The target is older than the source.
    #[error("a move from {from} to {to} is a downgrade")]
    Downgrade {
        /// The source's major version.
        from: u16,
        /// The target's.
        to: u16,
    },
    /// A server could not be started or stopped.
    #[error(transparent)]
    Sandbox(#[from] atalaya_sandbox::Error),
    /// Shop or ledger.
    #[error(transparent)]
    Load(#[from] atalaya_load::Error),
    /// A server's answer to the demo's own statements.
    #[error(transparent)]
    Postgres(Box<atalaya_postgres::Error>),
    /// A server's URL could not be read back.
    #[error(transparent)]
    Url(#[from] atalaya_estate::UrlError),
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
    /// The program, or what it came to.
    #[error(transparent)]
    Verb(#[from] atalaya_verbs::Error),
    /// The corrupted cell was not found as what it is.
    #[error("the cell {cell} was corrupted, but the proof found {found}")]
    NotFound {
        /// Table, key and column.
        cell: String,
        /// Numbers and tables, no values.
        found: String,
    },
    /// The repaired cell does not hold what it held before.
    #[error("the cell {cell} does not hold what it held before it was corrupted")]
    NotRepaired {
        /// Table, key and column.
        cell: String,
    },
    /// The cell to corrupt is not there.
    #[error("there is no cell {cell} to corrupt on the target")]
    NoCell {
        /// Table, key and column.
        cell: String,
    },
    /// A command led clients elsewhere than it was asked for.
    #[error("`migrate {verb}` came to `{outcome}`")]
    OtherOutcome {
        /// The command.
        verb: &'static str,
        /// As it says.
        outcome: String,
    },
    /// The journal's route is not what was done.
    #[error("`{line}` tells of an epoch that the demo does not know, or that nobody decided")]
    NoPause {
        /// The command line.
        line: String,
    },
    /// A task of the demo's own did not end by itself.
    #[error("a part of the demo ended early")]
    Ended,
}

impl Error {
    /// The next step, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::DiskShort { .. } => Some("give a smaller --size, or another folder by --data".to_owned()),
            Self::Downgrade { .. } => Some("give a --to that is not lower than --from".to_owned()),
            Self::Sandbox(error) => error.hint(),
            Self::Postgres(error) => error.hint(),
            Self::Verb(error) => error.hint(),
            Self::NotFound { .. } | Self::NotRepaired { .. } | Self::OtherOutcome { .. } | Self::NoPause { .. } => {
                Some("this is a defect of the program: please report it with the command's output".to_owned())
            }
            Self::Load(_) | Self::Url(_) | Self::File { .. } | Self::NoCell { .. } | Self::Ended => None,
        }
    }
}

impl From<atalaya_postgres::Error> for Error {
    fn from(error: atalaya_postgres::Error) -> Self {
        Self::Postgres(Box::new(error))
    }
}
