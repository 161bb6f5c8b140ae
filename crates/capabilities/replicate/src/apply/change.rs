//! One change of one row, as the stream brought it.

use std::sync::Arc;

use atalaya_data::Lsn;
use atalaya_pgwire::pgoutput::{Tuple, Value};

use super::TargetTable;

/// What happened to the row; tuples are in the order of the relation message's columns.
#[derive(Clone, Debug)]
pub(crate) enum ChangeKind {
    /// A new row.
    Insert(Tuple),
    /// A row's new values; `old` holds the old identity where it changed or is the whole row.
    Update {
        /// The old identity or row.
        old: Option<Tuple>,
        /// The new row, with marks where a TOAST value did not change.
        new: Tuple,
    },
    /// A row that is gone, by its identity or whole.
    Delete(Tuple),
}

/// One change, bound for its table on the target.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// Where it goes.
    pub(crate) table: Arc<TargetTable>,
    /// What it is.
    pub(crate) kind: ChangeKind,
    /// The transaction it belongs to.
    pub(crate) commit_lsn: Lsn,
}

impl Change {
    /// Bytes it holds on to, roughly.
    pub(crate) fn bytes(&self) -> usize {
        let of = |tuple: &Tuple| tuple.values.iter().map(value_bytes).sum::<usize>();
        match &self.kind {
            ChangeKind::Insert(tuple) | ChangeKind::Delete(tuple) => of(tuple),
            ChangeKind::Update { old, new } => old.as_ref().map_or(0, of) + of(new),
        }
    }

    /// Whether it is an update that gives its row another identity.
    pub(crate) fn moves_identity(&self) -> bool {
        match &self.kind {
            ChangeKind::Update { old: Some(old), new } => self.table.identity.iter().any(|position| {
                let new_value = new.values.get(*position);
                new_value != Some(&Value::UnchangedToast) && old.values.get(*position) != new_value
            }),
            _ => false,
        }
    }
}

fn value_bytes(value: &Value) -> usize {
    const OVERHEAD: usize = 40;
    match value {
        Value::Text(bytes) | Value::Binary(bytes) => bytes.len() + OVERHEAD,
        Value::Null | Value::UnchangedToast => OVERHEAD,
    }
}
