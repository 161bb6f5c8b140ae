//! Why a drill ended early.

use std::path::PathBuf;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The target is older than the source.
    #[error("a move from {from} to {to} is a downgrade")]
    Downgrade {
        /// The source's major version.
        from: u16,
        /// The target's.
        to: u16,
    },
    /// A script says nothing of its server.
    #[error("`{}` does not say of which PostgreSQL version it is", path.display())]
    NoVersion {
        /// The script.
        path: PathBuf,
    },
    /// A script is no plain script of a schema alone.
    #[error("`{}` {what}", path.display())]
    Script {
        /// The script.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// There is nothing to move.
    #[error("the schema has no table that could be filled and moved")]
    NothingToMove,
    /// The assessment forbids the move.
    #[error("the assessment of the clone forbids the move:{checks}")]
    Forbidden {
        /// Each failing check with what was seen, a line each.
        checks: String,
    },
    /// A run of the program ended as none may.
    #[error("after {after} the program ended as it may not")]
    Run {
        /// The last fault, or the start.
        after: String,
        /// What it said.
        #[source]
        source: atalaya_verbs::Error,
    },
    /// A run did not come to work again.
    #[error("after {after} the move was not at work again within {seconds} s and {runs} runs")]
    Stuck {
        /// The fault.
        after: String,
        /// How long it was waited for.
        seconds: u64,
        /// How often the same command was run again.
        runs: u32,
    },
    /// A server could not be started, stopped or asked.
    #[error(transparent)]
    Sandbox(#[from] atalaya_sandbox::Error),
    /// The ledger.
    #[error(transparent)]
    Load(#[from] atalaya_load::Error),
    /// The schema could not be read.
    #[error(transparent)]
    Schema(#[from] atalaya_replicate::Error),
    /// A server's answer to the drill's own statements.
    #[error(transparent)]
    Postgres(Box<atalaya_postgres::Error>),
    /// The program, or what it came to.
    #[error(transparent)]
    Verb(#[from] atalaya_verbs::Error),
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
    /// A task of the drill's own did not end by itself.
    #[error("a part of the drill ended early")]
    Ended,
}

impl Error {
    /// The next step, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Downgrade { .. } => "give a --to that is not lower than --from",
            Self::NoVersion { .. } => "give the source's major version with --from",
            Self::Script { .. } => "write it with `pg_dump --schema-only --file FILE`",
            Self::NothingToMove => "see what was left out above; --tables says which tables take part",
            Self::Forbidden { .. } => {
                "a real move of this schema would be refused, too: `atalaya assess` says of each what to do; \
                 --set-replica-identity, --append-only and --exclude are options of the drill as well"
            }
            Self::Run { .. } | Self::Stuck { .. } => {
                "if nobody else has written to the drill's servers, this is a defect of the program: please report it \
                 with the seed and the command's output"
            }
            Self::Sandbox(error) => return error.hint(),
            Self::Schema(error) => return error.hint(),
            Self::Postgres(error) => return error.hint(),
            Self::Verb(error) => return error.hint(),
            Self::Load(_) | Self::Url(_) | Self::File { .. } | Self::Ended => return None,
        };
        Some(hint.to_owned())
    }
}

impl From<atalaya_postgres::Error> for Error {
    fn from(error: atalaya_postgres::Error) -> Self {
        Self::Postgres(Box::new(error))
    }
}
