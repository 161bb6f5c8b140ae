//! What can go wrong with projections.

use atalaya_eventstore::{Position, TablesError};

/// What can go wrong with a projection.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] atalaya_eventstore::Error),
    /// The database of its tables.
    #[error(transparent)]
    Tables(#[from] TablesError),
    /// An event cannot be projected, and the projection is one that stops then.
    #[error("`{projection}` stops before the event at position {position}: {reason}")]
    Poisoned {
        /// The projection.
        projection: String,
        /// The event.
        position: Position,
        /// Why.
        reason: String,
    },
    /// Somebody else works on the same version.
    #[error("another process works on version {version} of `{projection}`")]
    Contended {
        /// The projection.
        projection: String,
        /// Its version.
        version: u32,
    },
    /// The tables say more than the journal has: an older journal was restored.
    #[error(
        "`{projection}` has come to position {position}, and the journal ends at {head}: it was restored from an older backup"
    )]
    BeyondHead {
        /// The projection.
        projection: String,
        /// How far it has come.
        position: Position,
        /// Where the journal ends.
        head: Position,
    },
    /// The journal has other events than those that the tables were made of: it was restored and has grown since.
    #[error(
        "`{projection}` was made of another journal than this one: its event at position {position} is another one"
    )]
    OtherHistory {
        /// The projection.
        projection: String,
        /// How far it has come.
        position: Position,
    },
    /// A projection of one stream alone.
    #[error("`{projection}` is of one stream alone: select its category, and leave out what is not wanted")]
    OneStream {
        /// The projection.
        projection: String,
    },
    /// A version that is live, or was, cannot be discarded, and one that is none cannot be swapped in.
    #[error("version {version} of `{projection}` {reason}")]
    NotNow {
        /// The projection.
        projection: String,
        /// Its version.
        version: u32,
        /// Why not.
        reason: &'static str,
    },
    /// The wait for a position was too long.
    #[error("`{projection}` has not come to position {position} within {} ms", .limit.as_millis())]
    Behind {
        /// The projection.
        projection: String,
        /// What was waited for.
        position: Position,
        /// For how long.
        limit: std::time::Duration,
    },
    /// A row of ours has another shape.
    #[error("the bookkeeping of `{projection}` cannot be read")]
    Unreadable {
        /// The projection.
        projection: String,
    },
}
