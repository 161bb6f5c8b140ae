//! Errors of an assessment as a whole; what a single check cannot see is a finding of that check instead.

use crate::SideName;

/// Why an assessment could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One side cannot be reached or read at all.
    #[error("cannot read the {side}")]
    Side {
        /// Which side.
        side: SideName,
        /// Why.
        #[source]
        source: atalaya_postgres::Error,
    },
    /// A statement of a check did not succeed.
    #[error(transparent)]
    Postgres(#[from] atalaya_postgres::Error),
    /// The trial of an event trigger came to no answer.
    #[error("the event trigger could not be tried")]
    Trial(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A tolerated check that does not exist.
    #[error("there is no check `{0}`")]
    UnknownCheck(String),
}

impl Error {
    /// The next step.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Side { source, .. } | Self::Postgres(source) => source.hint(),
            Self::Trial(_) => None,
            Self::UnknownCheck(_) => Some("`atalaya assess --list` prints every check's id".to_owned()),
        }
    }

    /// Whether the connection itself is gone, so that no other check can say anything either.
    pub(crate) fn ends_everything(&self) -> bool {
        match self {
            Self::Side { .. } | Self::UnknownCheck(_) => true,
            // It has a connection of its own.
            Self::Trial(_) => false,
            Self::Postgres(error) => error.retry() == atalaya_postgres::Retry::Reconnect,
        }
    }
}
