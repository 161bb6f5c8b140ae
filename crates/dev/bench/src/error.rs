//! Why a figure could not be measured.

use std::time::Duration;

/// Nothing here is recovered from: a figure is measured whole or not at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A server or its SQL.
    #[error(transparent)]
    Sandbox(#[from] atalaya_sandbox::Error),
    /// A program could not be started or read.
    #[error("`{program}` could not be run")]
    Run {
        /// Its name.
        program: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A program ended badly.
    #[error("`{program}` failed ({status}):\n{said}")]
    Failed {
        /// Its name.
        program: String,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// The end of what it wrote.
        said: String,
    },
    /// A program took too long.
    #[error("`{program}` was ended after {} s", .limit.as_secs())]
    TimedOut {
        /// Its name.
        program: String,
        /// The limit.
        limit: Duration,
    },
    /// A peer or our own program is not installed.
    #[error("`{program}` is not here\nhint: run `make bench`, which installs the peers and builds the program")]
    Missing {
        /// What was looked for.
        program: String,
    },
    /// The shop could not be filled.
    #[error("the shop could not be filled")]
    Shop(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The journal, or the loop beside it.
    #[error("the journal could not be measured")]
    Journal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The ledger could not be prepared, run or reconciled.
    #[error("the ledger could not be used")]
    Ledger(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A client of a server, a pooler or a gateway could not do its work.
    #[error("a client of {of} could not do its work")]
    Client {
        /// Who was asked.
        of: &'static str,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
    /// Too few files may be open for the connections of a figure.
    #[error("{wanted} files must be open at once, and only {limit} may\nhint: raise the hard limit, see `ulimit -Hn`")]
    OpenFiles {
        /// How many connections and a few more.
        wanted: u64,
        /// The system's limit.
        limit: u64,
    },
    /// A tool did other work than it was asked for, so its time says nothing.
    #[error("{0}")]
    OtherWork(String),
}

impl Error {
    /// Why the journal could not be measured.
    pub(crate) fn journal(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Journal(Box::new(source))
    }

    /// Why the ledger could not be used.
    pub(crate) fn ledger(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Ledger(Box::new(source))
    }

    /// Why the shop could not be filled.
    pub(crate) fn shop(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Shop(Box::new(source))
    }
}
