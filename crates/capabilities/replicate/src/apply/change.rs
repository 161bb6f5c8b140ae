//! One change of one row, as the stream brought it.

use std::sync::Arc;

use atalaya_data::Lsn;
use atalaya_pgwire::pgoutput::{Tuple, Value};

use super::TargetTable;
use crate::conflict::{Conflict, ConflictKind, Resolution};

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
    /// When that was committed on the source; microseconds since 2000-01-01.
    pub(crate) committed_at_micros: i64,
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

    /// A conflict that it met, which has stopped the run unless something else is said of it.
    pub(super) fn conflict(&self, kind: ConflictKind) -> Conflict {
        let (key, row) = match &self.kind {
            ChangeKind::Insert(row) | ChangeKind::Delete(row) => (row, row),
            ChangeKind::Update { old, new } => (old.as_ref().unwrap_or(new), new),
        };
        let text = |value: Option<&Value>| match value {
            Some(Value::Text(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        };
        let identity = self.table.identity.iter();
        let named = identity.filter_map(|position| Some((*position, self.table.columns.get(*position)?)));
        let travelled = self.table.columns.iter().enumerate();
        Conflict {
            kind,
            relation: self.table.name.clone(),
            commit_lsn: self.commit_lsn,
            committed_at_micros: self.committed_at_micros,
            policy: self.table.policy.word(),
            resolution: Resolution::Stopped,
            constraint: None,
            key_columns: named.clone().map(|(_, column)| column.name.clone()).collect(),
            key: named.map(|(position, _)| text(key.values.get(position))).collect(),
            source_row: travelled
                .filter(|(position, _)| row.values.get(*position) != Some(&Value::UnchangedToast))
                .map(|(position, column)| (column.name.clone(), text(row.values.get(position))))
                .collect(),
            target_row: None,
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
