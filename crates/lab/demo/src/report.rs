//! What a demo came to: a versioned document.

use atalaya_load::ledger::Reconciliation;
use atalaya_verbs::Proof;
use serde::Serialize;

/// The version of the report's JSON form.
pub(crate) const REPORT_VERSION: u32 = 1;

/// All that was measured and proven.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version of this form.
    pub version: u32,
    /// The old server's full version.
    pub from: String,
    /// The new server's full version.
    pub to: String,
    /// Whether both servers write to disk before they say so (`fsync`, `synchronous_commit`).
    pub durable: bool,
    /// What was made.
    pub shop: Shop,
    /// Seconds of each step, in order.
    pub steps: Vec<Step>,
    /// The copy.
    pub copied: Copied,
    /// How far the target was behind.
    pub lag: Lag,
    /// What clients wrote from before `assess` until the source was stopped.
    pub writes: Writes,
    /// Every comparison of both sides, in order.
    pub proofs: Vec<Proof>,
    /// What was done to one cell.
    pub corruption: Corruption,
    /// The end of the move.
    pub finish: Finish,
    /// What clients were told, compared with the target.
    pub reconciliation: Reconciliation,
    /// The same clients on the new server, once both were proven equal.
    pub afterwards: Afterwards,
    /// What is not as it should be; empty for a success.
    pub complaints: Vec<String>,
}

/// The source when it was filled.
#[derive(Clone, Debug, Serialize)]
pub struct Shop {
    /// Tables with rows of their own, the ledger's among them.
    pub tables: u64,
    /// Their rows.
    pub rows: u64,
    /// Their bytes with indexes and TOAST.
    pub bytes: u64,
}

/// A step of the play.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// What it was.
    pub title: String,
    /// How long it took.
    pub seconds: f64,
}

/// What the copy did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Copied {
    /// Tables copied.
    pub tables: u64,
    /// Rows copied.
    pub rows: u64,
    /// Bytes that passed through COPY.
    pub bytes: u64,
    /// Seconds from the first to the last row.
    pub seconds: f64,
    /// Bytes of these seconds, in MB.
    pub mb_per_second: f64,
    /// Seconds of indexes, keys, foreign keys and statistics afterwards.
    pub index_seconds: f64,
    /// Seconds from the end of that until everything written meanwhile was applied.
    pub catch_up_seconds: f64,
}

/// How far the target was behind the source.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Lag {
    /// Log that waited when the copy was complete.
    pub after_copy_bytes: u64,
    /// Behind when caught up.
    pub caught_up_bytes: u64,
    /// The same in seconds, by commit times.
    pub caught_up_seconds: f64,
    /// The most that was seen after that.
    pub following_bytes_max: u64,
    /// The same in seconds.
    pub following_seconds_max: f64,
    /// How often it was looked at after that.
    pub samples: u64,
}

/// What clients did during the move.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Writes {
    /// Transactions a second that were asked for, those rolled back on purpose among them.
    pub rate: u32,
    /// Clients.
    pub clients: u32,
    /// Seconds of the whole move.
    pub seconds: f64,
    /// Transactions that clients were told committed.
    pub committed: u64,
    /// Rolled back on purpose.
    pub rolled_back: u64,
    /// Refused by the server.
    pub failed: u64,
    /// Without an answer.
    pub unknown: u64,
    /// Commits a second over the whole move.
    pub per_second_mean: f64,
    /// Commits in the slowest second.
    pub per_second_min: u64,
    /// 99 of 100 transactions took at most this long.
    pub latency_p99_ms: f64,
    /// The longest time in which no client was told of a commit.
    pub pause_max_ms: f64,
}

/// The cell that was changed behind the program's back.
#[derive(Clone, Debug, Serialize)]
pub struct Corruption {
    /// Its table.
    pub table: String,
    /// Its row's key.
    pub key: String,
    /// Its column.
    pub column: String,
    /// Whether the next proof found it, and nothing else.
    pub found: bool,
    /// Rows that the repair read again.
    pub rows_repaired: u64,
    /// Whether the cell holds again what it held before, by the demo's own look.
    pub restored: bool,
}

/// The end of the move.
#[derive(Clone, Debug, Serialize)]
pub struct Finish {
    /// Seconds from the last commit on the source until the target was ready.
    pub seconds: f64,
    /// Of the program's things, what is left on either side: slots, publications, schemas.
    pub leftovers: u64,
}

/// What clients did on the new server.
#[derive(Clone, Debug, Serialize)]
pub struct Afterwards {
    /// Transactions committed there.
    pub committed: u64,
    /// How often each SQLSTATE came: a sequence that was left behind would show as 23505.
    pub errors: std::collections::BTreeMap<String, u64>,
    /// Whether the new server holds exactly what clients were told.
    pub reconciled: bool,
}
