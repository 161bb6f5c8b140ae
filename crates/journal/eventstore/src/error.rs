//! What can go wrong with the journal.

use crate::{AppendId, EventId, Expected, Position, StreamName};

/// Why an append was not made though the store is well: nothing of it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// A stream is not as expected.
    #[error("the stream `{stream}` has version {actual}, which is not what was expected ({expected:?})")]
    Version {
        /// The stream.
        stream: StreamName,
        /// What was asked for.
        expected: Expected,
        /// The version of its last event; 0 for none.
        actual: u64,
    },
    /// The append's identity stands for another append already.
    #[error("another append was made under the identity `{append}`")]
    OtherBody {
        /// The identity.
        append: AppendId,
    },
    /// Some of its events are in the journal, brought by another append.
    #[error("the event `{event}` is in the journal already, by another append")]
    Overlap {
        /// One of them.
        event: EventId,
    },
}

/// What can go wrong with the journal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The append's conditions do not hold; nothing was written.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// What was to be appended cannot be.
    #[error("the append cannot be made: {reason}")]
    Unappendable {
        /// Why.
        reason: &'static str,
    },
    /// The writer has as much waiting as it may: the store is slower than what is appended.
    #[error("the journal's writer has {waiting} appends waiting and takes no more")]
    Overloaded {
        /// How many wait.
        waiting: usize,
    },
    /// Whether the append was made is not known: the connection ended while it was committed. The same append again
    /// finds out.
    #[error("it is not known whether the append was made; the same append again tells")]
    Unknown {
        /// Why.
        #[source]
        source: Box<Error>,
    },
    /// The writer has ended: the store was closed.
    #[error("the journal is closed")]
    Closed,
    /// Somebody has held the journal's head for too long.
    #[error("the journal is held by another writer for more than {} s", .limit.as_secs())]
    Held {
        /// How long was waited.
        limit: std::time::Duration,
    },
    /// A checkpoint or position lies beyond the journal's end: an older journal was restored.
    #[error(
        "position {position} lies beyond the journal's end {head}: the journal was restored from an older backup, or is another one"
    )]
    BeyondHead {
        /// What was asked for.
        position: Position,
        /// Where the journal ends.
        head: Position,
    },
    /// What is stored is not what this program stores.
    #[error("the journal is damaged at position {position}: {seen}")]
    Damaged {
        /// Where.
        position: Position,
        /// What was seen.
        seen: &'static str,
    },
    /// A later version of the program wrote it.
    #[error("the journal has format {found}, and this program reads up to {known}")]
    Version {
        /// What stands there.
        found: i64,
        /// What this program knows.
        known: i64,
    },
    /// SQLite.
    #[error("{action} failed in the journal's file")]
    Sqlite {
        /// What was being done.
        action: &'static str,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// Postgres.
    #[error("{action} failed in the journal's database")]
    Postgres {
        /// What was being done.
        action: &'static str,
        /// Why.
        #[source]
        source: Box<atalaya_postgres::Error>,
    },
}
