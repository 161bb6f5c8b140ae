//! What can go wrong with the journal. Never holds an event's data.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::{AppendId, EventId, EventType, Expected, Position, StreamName};

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

/// What can go wrong with the journal. Cheap to clone: what fails a group of appends is told to each of them.
#[derive(Clone, Debug, thiserror::Error)]
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
        limit: Duration,
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
    /// The journal that a checkpoint or snapshot was stored in had another event at its place.
    #[error(
        "the event at position {position} is another one than when it was stored: the journal was restored from a backup and has grown since, or is another one"
    )]
    OtherHistory {
        /// Where.
        position: Position,
    },
    /// Somebody else works under the same name.
    #[error(
        "the checkpoint of `{name}` is at {found} and was left at {expected}: another subscriber works under the name"
    )]
    CheckpointMoved {
        /// The subscription's name.
        name: String,
        /// Where it was left.
        expected: Position,
        /// Where it is.
        found: Position,
    },
    /// A share that no worker can have.
    #[error("worker {worker} of {workers} is none: workers are counted from 0")]
    Share {
        /// The worker.
        worker: u32,
        /// Of how many.
        workers: u32,
    },
    /// An event of an older shape could not be brought up to date.
    #[error(
        "the event at position {position}, a `{event_type}` of schema {schema}, cannot be brought to the next schema: {reason}"
    )]
    Upcast {
        /// Where it stands.
        position: Position,
        /// Its type.
        event_type: EventType,
        /// The schema that it has.
        schema: u32,
        /// Why, as the upcaster says.
        reason: &'static str,
    },
    /// A later version of the program wrote it.
    #[error("the journal has format {found}, and this program reads up to {known}")]
    Version {
        /// What stands there.
        found: i64,
        /// What this program knows.
        known: i64,
    },
    /// There is something else in its place.
    #[error("there is no journal, and none can be made there: {seen}")]
    NotAJournal {
        /// What was seen.
        seen: &'static str,
    },
    /// The place is none that a journal can be kept in safely.
    #[error("a journal cannot be kept there: {reason}")]
    Unsuitable {
        /// Why.
        reason: &'static str,
    },
    /// The disk that the journal is on is full; nothing of the append was written.
    #[error("there is no room for the journal")]
    NoRoom {
        /// What the store said.
        #[source]
        source: Box<Error>,
    },
    /// The store did not answer in time.
    #[error("{action} took longer than {} s", .limit.as_secs())]
    Slow {
        /// What was being done.
        action: &'static str,
        /// How long was waited.
        limit: Duration,
    },
    /// The journal's file or folder.
    #[error("cannot {action} `{}`", .path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// SQLite.
    #[error("{action} failed in the journal's file")]
    Sqlite {
        /// What was being done.
        action: &'static str,
        /// Why.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// Postgres.
    #[error("{action} failed in the journal's database")]
    Postgres {
        /// What was being done.
        action: &'static str,
        /// Why.
        #[source]
        source: Arc<atalaya_postgres::Error>,
    },
}

impl Error {
    /// The next step for whoever reads the error.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Overloaded { .. } => "append less at once, or several events in one append".into(),
            Self::Held { .. } => {
                "see which process has the journal open, or in Postgres pg_locks and pg_stat_activity".into()
            }
            Self::BeyondHead { .. } | Self::OtherHistory { .. } => {
                "restore the newest backup, or rebuild what was made of the lost events and remove its checkpoint"
                    .into()
            }
            Self::CheckpointMoved { .. } => "run one subscriber a name, or give each a share of it".into(),
            Self::Version { .. } => "use the version of the program that wrote it, or a later one".into(),
            Self::NoRoom { .. } => "free disk space, then append again".into(),
            Self::Unknown { source } => return source.hint(),
            Self::Postgres { source, .. } => return source.hint(),
            _ => return None,
        })
    }

    /// Whether one append of a group can be what is refused, so that the others are worth a try without it.
    pub(crate) fn may_be_one_append(&self) -> bool {
        match self {
            Self::Sqlite { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(
                    rusqlite::ErrorCode::ConstraintViolation
                        | rusqlite::ErrorCode::TooBig
                        | rusqlite::ErrorCode::TypeMismatch
                )
            ),
            // Data, constraints, limits of the program, and what a trigger raises.
            Self::Postgres { source, .. } => source
                .sqlstate()
                .is_some_and(|state| ["22", "23", "54", "P0"].iter().any(|class| state.starts_with(class))),
            _ => false,
        }
    }
}
