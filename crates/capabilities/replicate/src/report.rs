//! What a running migration tells whoever started it.

use atalaya_data::{Lsn, RelationName};

/// One thing that happened.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A phase began.
    Phase {
        /// `prepare`, `schema`, `copy`, `indexes`, `stream`.
        phase: &'static str,
    },
    /// What the copy has done so far.
    Copied {
        /// Rows written to the target.
        rows: u64,
        /// Bytes that passed.
        bytes: u64,
        /// Bytes expected, by the source's own figures.
        bytes_expected: u64,
    },
    /// A table's copy is complete.
    TableCopied {
        /// Which.
        table: RelationName,
        /// Its rows.
        rows: u64,
    },
    /// An index or constraint stands.
    Built {
        /// How many do now.
        done: usize,
        /// Of how many.
        all: usize,
    },
    /// Large objects were brought over.
    LargeObjects {
        /// How many; those that were equal already are not counted.
        objects: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// Where apply is.
    Applied {
        /// The last position that is applied.
        lsn: Lsn,
        /// Changes applied since the move began.
        changes: u64,
        /// Bytes of log behind the source.
        lag_bytes: u64,
        /// Seconds behind the source, by commit times.
        lag_seconds: f64,
    },
    /// A change of the source's schema was made on the target.
    Followed {
        /// What.
        change: String,
    },
    /// Everything the source had written when the copy ended is applied.
    CaughtUp,
    /// Another try after a lost connection.
    Reconnect {
        /// Which try.
        attempt: u32,
        /// Why.
        reason: String,
    },
    /// Something an operator should know.
    Warning {
        /// What.
        text: String,
    },
}

/// Takes events; must not block.
pub trait Observer: Send + Sync {
    /// Called for every event, from several tasks.
    fn observe(&self, event: &Event);
}
