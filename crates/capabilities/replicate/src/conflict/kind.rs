//! What kinds of conflict there are, and how one ended.

use atalaya_data::{Lsn, RelationName};

/// What kind of conflict; where PostgreSQL 18's conflict statistics have a name for it, it is theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ConflictKind {
    /// An INSERT found its key taken.
    InsertExists,
    /// An UPDATE found no row.
    UpdateMissing,
    /// An UPDATE found its new key taken.
    UpdateExists,
    /// An UPDATE found a row that somebody had changed.
    UpdateDiffers,
    /// A DELETE found no row.
    DeleteMissing,
    /// A DELETE found a row that somebody had changed.
    DeleteDiffers,
    /// Another unique key is taken, or an exclusion constraint is violated.
    UniqueTaken,
    /// A TRUNCATE met rows that may not go.
    TruncateDiffers,
    /// A row that refers to another has no parent on the target.
    ForeignKeyMissing,
}

impl ConflictKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::InsertExists => "insert_exists",
            Self::UpdateMissing => "update_missing",
            Self::UpdateExists => "update_exists",
            Self::UpdateDiffers => "update_differs",
            Self::DeleteMissing => "delete_missing",
            Self::DeleteDiffers => "delete_differs",
            Self::UniqueTaken => "unique_taken",
            Self::TruncateDiffers => "truncate_differs",
            Self::ForeignKeyMissing => "foreign_key_missing",
        }
    }
}

/// How a conflict ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Resolution {
    /// Nothing was done, and the run ended.
    Stopped,
    /// The source's row stands.
    Source,
    /// The target's row stands.
    Target,
}

impl Resolution {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

/// One conflict. Holds a row's values, so it is never shown as it is: no `Debug`.
#[derive(Clone)]
pub(crate) struct Conflict {
    /// What kind.
    pub(crate) kind: ConflictKind,
    /// The target's table.
    pub(crate) relation: RelationName,
    /// The source's transaction.
    pub(crate) commit_lsn: Lsn,
    /// When it was committed on the source; microseconds since 2000-01-01.
    pub(crate) committed_at_micros: i64,
    /// The table's policy.
    pub(crate) policy: &'static str,
    /// How it ended.
    pub(crate) resolution: Resolution,
    /// The constraint or index that was violated.
    pub(crate) constraint: Option<String>,
    /// Names of the columns that the row is known by.
    pub(crate) key_columns: Vec<String>,
    /// Their values.
    pub(crate) key: Vec<Option<String>>,
    /// The source's row as far as it travelled: column and value.
    pub(crate) source_row: Vec<(String, Option<String>)>,
    /// The target's row, as JSON.
    pub(crate) target_row: Option<String>,
}

impl Conflict {
    /// One of a table as a whole, which has stopped the run unless something else is said of it.
    pub(crate) fn of_table(kind: ConflictKind, relation: RelationName, at: (Lsn, i64)) -> Self {
        Self {
            kind,
            relation,
            commit_lsn: at.0,
            committed_at_micros: at.1,
            policy: "stop",
            resolution: Resolution::Stopped,
            constraint: None,
            key_columns: Vec::new(),
            key: Vec::new(),
            source_row: Vec::new(),
            target_row: None,
        }
    }

    /// The same, which ended so.
    pub(crate) fn ended(mut self, resolution: Resolution) -> Self {
        self.resolution = resolution;
        self
    }

    /// The same, with the target's row as it was.
    pub(crate) fn over(mut self, target_row: Option<String>) -> Self {
        self.target_row = target_row;
        self
    }
}
