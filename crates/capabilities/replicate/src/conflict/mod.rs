//! Changes that do not find on the target what they found on the source.
//!
//! The target of a move belongs to the move: any conflict means that something else wrote there, so the
//! only policy of this version is to stop before the next change. What was seen is a row in
//! `atalaya.conflicts`, without values.

mod record;

pub(crate) use record::record;

use atalaya_data::{Lsn, RelationName};

/// What kind of conflict; the names are those of PostgreSQL 18's conflict statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConflictKind {
    /// An INSERT found its key, or another unique key, taken.
    InsertExists,
    /// An UPDATE found no row.
    UpdateMissing,
    /// A DELETE found no row.
    DeleteMissing,
    /// An UPDATE found another unique key taken.
    UpdateExists,
}

impl ConflictKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::InsertExists => "insert_exists",
            Self::UpdateMissing => "update_missing",
            Self::DeleteMissing => "delete_missing",
            Self::UpdateExists => "update_exists",
        }
    }
}

/// One conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// What kind.
    pub(crate) kind: ConflictKind,
    /// The target's table.
    pub(crate) relation: RelationName,
    /// The source's transaction.
    pub(crate) commit_lsn: Lsn,
}
