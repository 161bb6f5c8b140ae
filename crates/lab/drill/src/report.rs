//! What a drill came to: a versioned document.

use atalaya_load::ledger::Reconciliation;
use atalaya_verbs::Proof;
use serde::Serialize;

/// The version of the report's JSON form.
pub(crate) const REPORT_VERSION: u32 = 1;

/// All that was done and proven.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version of this form.
    pub version: u32,
    /// The seed of rows, transactions and faults.
    pub seed: u64,
    /// The old server's major version.
    pub from: u16,
    /// The new server's major version.
    pub to: u16,
    /// Where the schema came from, without a password.
    pub origin: String,
    /// The clone.
    pub schema: Schema,
    /// Warnings of the assessment.
    pub warnings: u64,
    /// What clients did.
    pub writes: Writes,
    /// Faults that were to come.
    pub planned: u64,
    /// Those that came, in order; one meant for an end that was quicker does not.
    pub faults: Vec<Fault>,
    /// How often a command was run again because its run had ended.
    pub runs_again: u32,
    /// Every comparison by the program.
    pub proofs: Vec<Proof>,
    /// The last one by psql, which is none of the program's code.
    pub comparison: Comparison,
    /// What clients of the ledger were told, compared with the target; none where the schema has a ledger of its own.
    pub ledger: Option<Reconciliation>,
    /// Of the program's things, what is left on either side.
    pub leftovers: u64,
    /// Seconds of the whole drill.
    pub seconds: f64,
    /// What is not as it should be; empty for a success.
    pub complaints: Vec<Complaint>,
}

/// The clone of the user's schema.
#[derive(Clone, Debug, Serialize)]
pub struct Schema {
    /// Entries of the script that were restored.
    pub entries: u64,
    /// Roles that were made for it; none can log in.
    pub roles: u64,
    /// What could not be restored.
    pub left_out: Vec<LeftOut>,
    /// Tables that are no partitions.
    pub tables: u64,
    /// Rows that were made up for them.
    pub rows: u64,
    /// Tables that stayed empty.
    pub empty: Vec<Empty>,
}

/// An entry of the script that is not in the clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// As in `EXTENSION`, `TABLE`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What the server said.
    pub why: String,
}

/// A table without rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Empty {
    /// Its name.
    pub table: String,
    /// What is known of why.
    pub why: String,
}

/// What clients did to the clone's tables while it was moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Writes {
    /// Transactions that they were told committed, those of the ledger too.
    pub committed: u64,
    /// Rolled back on purpose, whole.
    pub rolled_back: u64,
    /// Without an answer: the server was killed.
    pub unknown: u64,
    /// Rows inserted.
    pub inserted: u64,
    /// Rows changed.
    pub updated: u64,
    /// Rows that got another key.
    pub rekeyed: u64,
    /// Rows deleted.
    pub deleted: u64,
    /// Tables emptied by TRUNCATE.
    pub truncated: u64,
    /// Statements that the schema's own rules refused; their savepoint was rolled back to.
    pub refused: u64,
}

/// One kill or other fault, and what became of the move.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fault {
    /// What it was, as in `kill -9 of the run`.
    pub kind: &'static str,
    /// The command that ran.
    pub during: &'static str,
    /// The step that the run had told last.
    pub phase: String,
    /// Seconds from the drill's beginning.
    pub at_seconds: f64,
    /// What shows that it happened.
    pub evidence: String,
    /// How often the same command was run again.
    pub runs_again: u32,
    /// Seconds until the move was at work again.
    pub outage_seconds: f64,
}

/// Both sides as psql sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Tables and partitions compared: number of rows and sum of their hashes.
    pub tables: u64,
    /// Their rows on the source.
    pub rows: u64,
    /// Those that differ.
    pub different: Vec<String>,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Complaint {
    /// Whether rows differ, which is worse than anything else.
    pub is_difference: bool,
    /// What it is.
    pub text: String,
}
