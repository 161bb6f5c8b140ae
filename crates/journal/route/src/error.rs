//! What can go wrong with routes. Never holds a statement that lifts a fence.

use atalaya_eventstore::NameError;

/// What can go wrong with routes.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] atalaya_eventstore::Error),
    /// A database's name that no stream can be named after.
    #[error("`{database}` cannot have a route")]
    Name {
        /// The name.
        database: String,
        /// Why.
        #[source]
        source: NameError,
    },
    /// Another epoch has to be decided first.
    #[error("epoch {epoch} of `{database}` is open, for the migration `{migration}`")]
    Open {
        /// The route's database.
        database: String,
        /// The one that is open.
        epoch: u64,
        /// What it was opened for.
        migration: String,
    },
    /// Clients are not where they are to be led away from.
    #[error("clients of `{database}` are led to `{leads_to}`, not to `{from}`")]
    Elsewhere {
        /// The route's database.
        database: String,
        /// Where they are.
        leads_to: String,
        /// Where they were said to be.
        from: String,
    },
    /// A rehearsal leads nobody anywhere.
    #[error("epoch {epoch} of `{database}` is a rehearsal: it can only be closed")]
    Rehearsal {
        /// The route's database.
        database: String,
        /// The epoch.
        epoch: u64,
    },
    /// What an epoch was to be opened with cannot be.
    #[error("an epoch cannot be opened so: {reason}")]
    Unsuitable {
        /// Why.
        reason: &'static str,
    },
    /// The stream holds what this version of the program does not understand.
    #[error("the route of `{database}` cannot be read at version {version} of its stream")]
    Unreadable {
        /// The route's database.
        database: String,
        /// Where in its stream.
        version: u64,
    },
    /// Others wrote to the stream all the time.
    #[error("the route of `{database}` was written to by others at each of {attempts} attempts")]
    Contended {
        /// The route's database.
        database: String,
        /// How often it was tried.
        attempts: u32,
    },
}

impl Error {
    /// Whether the journal is well and says no.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Open { .. } | Self::Elsewhere { .. } | Self::Rehearsal { .. } | Self::Unsuitable { .. })
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Journal(error) => error.hint(),
            Self::Open { .. } => {
                Some("it is closed by the first gateway whose lease for it is over; try again then".to_owned())
            }
            Self::Unreadable { .. } => Some("use the version of the program that wrote it, or a later one".to_owned()),
            _ => None,
        }
    }
}
