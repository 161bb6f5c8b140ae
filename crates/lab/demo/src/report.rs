//! What a demo came to: a versioned document.

use std::collections::BTreeMap;

use atalaya_load::ledger::Reconciliation;
use atalaya_verbs::Proof;
use serde::{Deserialize, Serialize};

/// The version of the report's JSON form.
pub(crate) const REPORT_VERSION: u32 = 2;

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
    /// What clients wrote from before `assess` until they were stopped, on the new server, before `finish`.
    pub writes: Writes,
    /// Their commits over the same time.
    pub series: Series,
    /// Each time that they were held, in order: the rehearsal, the cutover, the rollback, the second cutover, and whatever
    /// of these was broken off and tried again.
    pub pauses: Vec<Pause>,
    /// Every comparison of both sides, in order.
    pub proofs: Vec<Proof>,
    /// What was done to one cell.
    pub corruption: Corruption,
    /// What clients were told, compared with the new server.
    pub reconciliation: Reconciliation,
    /// The same with the old one, to which the way back has brought what they wrote last.
    pub reconciliation_old: Reconciliation,
    /// The certificate of both sides at rest.
    pub certificate: Certificate,
    /// The end of the move.
    pub finish: Finish,
    /// The same clients on the new server while the move was finished.
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
    /// Refused, but for deadlocks.
    pub failed: u64,
    /// Refused since clients waited for each other's rows, which happens on any server.
    pub deadlocks: u64,
    /// Without an answer.
    pub unknown: u64,
    /// How often each SQLSTATE came, deadlocks apart; `lost` for a broken connection.
    pub errors: BTreeMap<String, u64>,
    /// Commits a second over the whole move.
    pub per_second_mean: f64,
    /// Commits in the slowest second.
    pub per_second_min: u64,
    /// 99 of 100 transactions took at most this long.
    pub latency_p99_ms: f64,
    /// The longest that a transaction took.
    pub latency_max_ms: f64,
    /// The longest time in which no client was told of a commit.
    pub pause_max_ms: f64,
}

/// Commits in buckets of equal length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Series {
    /// When the first bucket begins, after the clients' start.
    pub from_ms: u64,
    /// The length of a bucket.
    pub bucket_ms: u32,
    /// Commits that clients were told of in each.
    pub committed: Vec<u32>,
}

/// What clients were held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Leading {
    /// `migrate cutover --rehearse`.
    Rehearsal,
    /// `migrate cutover`.
    Cutover,
    /// `migrate rollback`.
    Rollback,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum PauseOutcome {
    /// Clients were led to the other server.
    Flipped,
    /// They stayed, as was asked for.
    Rehearsed,
    /// They stayed, since it was broken off; it was tried again.
    Closed {
        /// Why.
        reason: String,
    },
}

/// One time that clients were held.
#[derive(Clone, Debug, Serialize)]
pub struct Pause {
    /// What for.
    pub what: Leading,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: PauseOutcome,
    /// The epoch of the journal's route.
    pub epoch: u64,
    /// When it began, after the clients' start, by the journal.
    pub at_ms: u64,
    /// How long gateways were closed, as the command reports; of one that was broken off, until that was decided.
    pub pause_us: u64,
    /// The longest time around it in which no client was told of a commit, to 10 ms.
    pub no_commit_ms: u64,
    /// The longest of the clients' transactions that ended during it or within a second of it.
    pub longest_wait_us: u64,
    /// Clients that gateways held.
    pub clients_held: u64,
    /// The parts of the pause, as the command reports.
    pub stages: Vec<StageTook>,
    /// Rows proven equal while clients were held.
    pub rows_proven: u64,
    /// Sequences set.
    pub sequences: u64,
    /// Commits from a second before it to a second after it.
    pub around: Series,
}

/// One part of a pause; parts may overlap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageTook {
    /// Its name.
    pub stage: String,
    /// When it began, after the first gateway was asked to close.
    pub began_us: u64,
    /// How long it took.
    pub took_us: u64,
}

/// The certificate of both sides at rest.
#[derive(Clone, Debug, Serialize)]
pub struct Certificate {
    /// Whether it says that both are equal, rows and schema.
    pub equal: bool,
    /// How long it took to make.
    pub seconds: f64,
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
    /// How long `migrate finish` took, while clients went on.
    pub seconds: f64,
    /// Of the program's things, what is left on either side but for the fence: slots, publications, tables.
    pub leftovers: u64,
}

/// What clients did on the new server while the move was finished, and after it.
#[derive(Clone, Debug, Serialize)]
pub struct Afterwards {
    /// Transactions committed there.
    pub committed: u64,
    /// How often each SQLSTATE came: a sequence that was left behind would show as 23505.
    pub errors: BTreeMap<String, u64>,
    /// Whether the new server holds exactly what clients were told.
    pub reconciled: bool,
}
