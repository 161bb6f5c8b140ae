//! Why a fence is not as it should be.

use std::time::Duration;

use super::statements::{CHANGED, OPEN, OVER, STANDS};

/// Why a fence is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum FenceError {
    /// The server.
    #[error(transparent)]
    Postgres(#[from] atalaya_postgres::Error),
    /// Somebody has lifted the epoch's fence, or raised a later one.
    #[error("epoch {epoch} is over: it is not fenced any more")]
    Over {
        /// The epoch.
        epoch: u64,
    },
    /// A fence stands that is not of this epoch.
    #[error("another fence stands in this database{}", .epoch.map_or_else(String::new, |epoch| format!(", of epoch {epoch}")))]
    Stands {
        /// Its epoch, where it is of the same route.
        epoch: Option<u64>,
    },
    /// Somebody granted or revoked something on the database.
    #[error("rights on the database were changed since they were read")]
    Changed,
    /// A right to log in could not be revoked.
    #[error("not everybody can be kept out: a right to connect stays")]
    Open,
    /// Sessions that were ended are there still.
    #[error("{sessions} sessions are still there {} ms after they were ended", .limit.as_millis())]
    Stays {
        /// How many.
        sessions: u64,
        /// How long was waited.
        limit: Duration,
    },
    /// Transactions go on that were waited for.
    #[error("{sessions} sessions have a transaction still {} ms after nobody else was let in", .limit.as_millis())]
    Running {
        /// How many.
        sessions: u64,
        /// How long was waited.
        limit: Duration,
    },
    /// A prepared transaction would be decided on the side that was left.
    #[error("{transactions} prepared transactions are open")]
    Prepared {
        /// How many.
        transactions: u64,
    },
    /// The server did not answer in time.
    #[error("the server did not raise the fence within {} ms", .limit.as_millis())]
    Slow {
        /// How long was waited.
        limit: Duration,
    },
    /// The server did not answer in time when clients were to be let in.
    #[error("the server did not answer within {} ms", .limit.as_millis())]
    NoAnswer {
        /// How long was waited.
        limit: Duration,
    },
    /// Whoever owns what holds the statement that lifts a fence could have it run as the fencing role.
    #[error("`{owner}` owns `{what}`, whose text would be run as the fencing role")]
    Owner {
        /// The role.
        owner: String,
        /// The schema or the table.
        what: String,
    },
    /// What the server says cannot be read.
    #[error("what the server says of the fence cannot be read")]
    Unreadable,
}

impl FenceError {
    /// What the statement that raises it says by its code.
    pub(super) fn of_raising(error: atalaya_postgres::Error, epoch: u64) -> Self {
        match error.sqlstate() {
            Some(OVER) => Self::Over { epoch },
            Some(STANDS) => Self::Stands { epoch: None },
            Some(CHANGED) => Self::Changed,
            Some(OPEN) => Self::Open,
            _ => Self::Postgres(error),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Postgres(error) => error.hint(),
            Self::Over { .. } | Self::Changed => Some("run the command again".to_owned()),
            Self::Stands { .. } => {
                Some("`SELECT * FROM atalaya.fence` shows it; the text in its column `lift` lifts it".to_owned())
            }
            Self::Open => Some("`--dry-run` names who cannot be kept out, and why".to_owned()),
            Self::Stays { .. } => Some("see what these sessions wait for in pg_stat_activity".to_owned()),
            Self::Running { .. } => {
                Some("end them, or give them longer with --max-pause; without --drain they are rolled back".to_owned())
            }
            Self::Prepared { .. } => Some("commit or roll them back: `SELECT * FROM pg_prepared_xacts`".to_owned()),
            Self::Owner { what, .. } => Some(format!("ALTER {what} OWNER TO the role of the estate's URL")),
            Self::Slow { .. } | Self::NoAnswer { .. } | Self::Unreadable => None,
        }
    }
}
