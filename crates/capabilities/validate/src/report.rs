//! The result of a validation: a versioned document, and what it means for an exit code.

use atalaya_data::{Lsn, RelationName};
use serde::Serialize;

/// The version of the report's JSON form; raised when a field changes its meaning or goes.
pub const REPORT_VERSION: u32 = 1;

/// All that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`REPORT_VERSION`].
    pub version: u32,
    /// `full`, `touched`, `counts` or `sample=N`; only the first two are proofs.
    pub method: String,
    /// `fence`, `quiesced` or `looks`: what made both sides comparable.
    pub moment: &'static str,
    /// The positions both sides stood at, one a group of tables.
    pub fences: Vec<Lsn>,
    /// One entry a compared table, in name order.
    pub tables: Vec<TableReport>,
    /// What was in scope and not compared, with the reason.
    pub skipped: Vec<Skipped>,
    /// Sequences that stand elsewhere on the target.
    pub sequences: Vec<SequenceReport>,
    /// Sums over all tables.
    pub totals: Totals,
    /// Whether what is proven was written down, so that a later pass can build on it.
    pub recorded: bool,
    /// Whether sequences count as differences.
    pub strict_sequences: bool,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// Sums over all tables.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Totals {
    /// Tables compared.
    pub tables: usize,
    /// Of these, proven equal (as far as the method goes).
    pub equal: usize,
    /// Of these, shown by the keys that were written since an earlier proof of every row.
    pub by_keys: usize,
    /// Of these, not written to since an earlier proof of every row.
    pub untouched: usize,
    /// Keys looked up.
    pub touched_keys: u64,
    /// Rows seen on the source.
    pub source_rows: u64,
    /// Rows seen on the target.
    pub target_rows: u64,
    /// Rows missing on the target.
    pub missing: u64,
    /// Rows on the target only.
    pub extra: u64,
    /// Rows of one key with different values.
    pub different: u64,
}

/// How a table's comparison ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TableStatus {
    /// No difference, as far as the method goes.
    Equal,
    /// At least one difference.
    Different,
    /// No difference found, and no proof either; `note` says why.
    NotProven,
    /// The comparison failed; `note` says why.
    Failed,
}

/// What a table's result rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// Every row of both sides, as far as the method goes.
    Rows,
    /// Every row, at an earlier pass, and now each row that was written since.
    Keys,
    /// Every row, at an earlier pass; nothing was written since.
    Untouched,
}

/// One table.
#[derive(Clone, Debug, Serialize)]
pub struct TableReport {
    /// Its name on the source; the first one where several make up one target table.
    pub source: RelationName,
    /// Its name on the target.
    pub target: RelationName,
    /// How the comparison ended.
    pub status: TableStatus,
    /// What the result rests on.
    pub shown_by: Shown,
    /// Keys that were written since every row was proven, and were looked up now.
    pub touched_keys: u64,
    /// Seconds since every row was proven; 0 where it was done now, none without such a proof.
    pub full_age_seconds: Option<f64>,
    /// Whether rows were matched by a key; else whole rows were counted.
    pub keyed: bool,
    /// Rows on the source (of the sample, where one was taken).
    pub source_rows: u64,
    /// Rows on the target.
    pub target_rows: u64,
    /// Rows missing on the target.
    pub missing: u64,
    /// Rows on the target only.
    pub extra: u64,
    /// Rows of one key with different values.
    pub different: u64,
    /// Rows that changed between the looks and are not proven equal.
    pub unstable: u64,
    /// Columns that the target lacks.
    pub missing_columns: Vec<String>,
    /// Columns that only the target has.
    pub extra_columns: Vec<String>,
    /// The differing rows, up to the plan's limit.
    pub findings: Vec<Finding>,
    /// Why it failed or is not proven, or what else is worth knowing; no row value.
    pub note: Option<String>,
    /// The next step, where there is one.
    pub hint: Option<String>,
    /// Whether a server refused to show all rows (missing privilege, row security).
    pub refused: bool,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// On the source only.
    Missing,
    /// On the target only.
    Extra,
    /// On both with different values.
    Different,
}

/// One differing row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// The key's columns; empty for a table without a key. Shown unmasked: without it no row can be found.
    pub key: Vec<KeyColumn>,
    /// The columns that differ; for a missing or extra row all columns, and only with values shown.
    pub columns: Vec<ColumnDifference>,
    /// The `ctid` on the source, as of the snapshot.
    pub source_place: Option<String>,
    /// The `ctid` on the target, as of the snapshot.
    pub target_place: Option<String>,
}

/// One column of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyColumn {
    /// The column's name.
    pub column: String,
    /// Its value as text; `None` is NULL.
    pub value: Option<String>,
}

/// One differing column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnDifference {
    /// The column's name.
    pub column: String,
    /// Values, where they are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<ColumnValues>,
}

/// A column's values on both sides, long ones cut; `None` is NULL, or a row that is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnValues {
    /// On the source.
    pub source: Option<String>,
    /// On the target.
    pub target: Option<String>,
}

/// A table that was not compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its name.
    pub table: RelationName,
    /// Why.
    pub reason: String,
    /// What it means for the result.
    pub verdict: SkipVerdict,
}

/// What a table that was not compared means for the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipVerdict {
    /// One side lacks it.
    Difference,
    /// It cannot be compared yet.
    NotProven,
    /// It is no matter of a comparison.
    Irrelevant,
}

/// How a sequence stands on the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SequenceStatus {
    /// Not there.
    Missing,
    /// Its last value is lower: where it ascends, the next insert could collide.
    Lower,
    /// Its last value is higher: where it descends, the next insert could collide.
    Higher,
}

/// A sequence that stands elsewhere on the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SequenceReport {
    /// Its name.
    pub name: RelationName,
    /// How it stands.
    pub status: SequenceStatus,
    /// `last_value` on the source.
    pub source: i64,
    /// `last_value` on the target.
    pub target: Option<i64>,
}

impl Report {
    /// Whether everything in scope was compared and no difference was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        !self.has_differences()
            && self.tables.iter().all(|table| table.status == TableStatus::Equal)
            && self.skipped.iter().all(|skipped| skipped.verdict == SkipVerdict::Irrelevant)
    }

    /// Whether at least one difference was found.
    #[must_use]
    pub fn has_differences(&self) -> bool {
        self.tables.iter().any(|table| table.status == TableStatus::Different)
            || self.skipped.iter().any(|skipped| skipped.verdict == SkipVerdict::Difference)
            || (self.strict_sequences && !self.sequences.is_empty())
    }

    /// Whether a server refused to show all rows of a table.
    #[must_use]
    pub fn was_refused(&self) -> bool {
        self.tables.iter().any(|table| table.refused)
    }

    /// Tables that are not proven equal.
    pub(crate) fn unproven(&self) -> usize {
        self.tables.iter().filter(|table| table.status != TableStatus::Equal).count()
            + self.skipped.iter().filter(|skipped| skipped.verdict != SkipVerdict::Irrelevant).count()
    }

    pub(crate) fn sum_up(&mut self) {
        let mut totals = Totals { tables: self.tables.len(), ..Totals::default() };
        for table in &self.tables {
            totals.equal += usize::from(table.status == TableStatus::Equal);
            totals.by_keys += usize::from(table.shown_by == Shown::Keys);
            totals.untouched += usize::from(table.shown_by == Shown::Untouched);
            totals.touched_keys += table.touched_keys;
            totals.source_rows += table.source_rows;
            totals.target_rows += table.target_rows;
            totals.missing += table.missing;
            totals.extra += table.extra;
            totals.different += table.different;
        }
        self.totals = totals;
    }
}
