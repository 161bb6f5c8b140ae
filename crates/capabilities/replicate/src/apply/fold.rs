//! Many changes of one row become one.
//!
//! Only for tables whose key is equal exactly when its text is, and only for changes that leave the key
//! alone; everything else is applied in order. A sequence of changes that no server can have made (an INSERT
//! over a row that is there) is not judged here: the part then goes the ordered way, which meets the
//! conflict.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use atalaya_pgwire::pgoutput::{Tuple, Value};
use bytes::Bytes;

use super::{Change, ChangeKind, TargetTable};

/// What is left of all changes of one row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Net {
    /// The row is new.
    Insert(Tuple),
    /// The row has new values; marks stay where a TOAST value did not change.
    Update(Tuple),
    /// The row is gone; its identity.
    Delete(Tuple),
    /// The row was deleted and inserted anew.
    Replace {
        /// The old row's identity.
        old: Tuple,
        /// The new row.
        new: Tuple,
    },
}

/// The changes cannot be folded; they are applied in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Irregular;

/// Folds the changes of one table.
pub(crate) fn fold<'a>(table: &TargetTable, changes: impl Iterator<Item = &'a Change>) -> Result<Vec<Net>, Irregular> {
    let mut nets: HashMap<Bytes, Option<Net>> = HashMap::new();
    for change in changes {
        if change.moves_identity() {
            return Err(Irregular);
        }
        let identity = match &change.kind {
            ChangeKind::Insert(tuple) | ChangeKind::Delete(tuple) => tuple,
            ChangeKind::Update { old, new } => old.as_ref().unwrap_or(new),
        };
        let key = key_of(table, identity).ok_or(Irregular)?;
        match nets.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(Some(first(&change.kind)));
            }
            Entry::Occupied(mut entry) => {
                let before = entry.get_mut().take();
                *entry.get_mut() = match before {
                    Some(net) => then(net, &change.kind)?,
                    // Inserted and deleted again within these changes: as if it had never been.
                    None => match &change.kind {
                        ChangeKind::Insert(tuple) => Some(Net::Insert(tuple.clone())),
                        ChangeKind::Update { .. } | ChangeKind::Delete(_) => return Err(Irregular),
                    },
                };
            }
        }
    }
    Ok(nets.into_values().flatten().collect())
}

fn first(kind: &ChangeKind) -> Net {
    match kind {
        ChangeKind::Insert(tuple) => Net::Insert(tuple.clone()),
        ChangeKind::Update { new, .. } => Net::Update(new.clone()),
        ChangeKind::Delete(tuple) => Net::Delete(tuple.clone()),
    }
}

fn then(net: Net, kind: &ChangeKind) -> Result<Option<Net>, Irregular> {
    let next = match (net, kind) {
        (Net::Insert(row), ChangeKind::Update { new, .. }) => Some(Net::Insert(merge(row, new))),
        (Net::Insert(_), ChangeKind::Delete(_)) => None,
        (Net::Update(row), ChangeKind::Update { new, .. }) => Some(Net::Update(merge(row, new))),
        (Net::Update(_), ChangeKind::Delete(old)) => Some(Net::Delete(old.clone())),
        (Net::Delete(old), ChangeKind::Insert(new)) => Some(Net::Replace { old, new: new.clone() }),
        (Net::Replace { old, new: row }, ChangeKind::Update { new, .. }) => {
            Some(Net::Replace { old, new: merge(row, new) })
        }
        (Net::Replace { old, .. }, ChangeKind::Delete(_)) => Some(Net::Delete(old)),
        (Net::Insert(_) | Net::Update(_) | Net::Replace { .. }, ChangeKind::Insert(_))
        | (Net::Delete(_), ChangeKind::Update { .. } | ChangeKind::Delete(_)) => return Err(Irregular),
    };
    Ok(next)
}

/// The later row, with the earlier one's values where a TOAST value did not change.
fn merge(earlier: Tuple, later: &Tuple) -> Tuple {
    let values = earlier
        .values
        .into_iter()
        .zip(&later.values)
        .map(|(before, after)| if *after == Value::UnchangedToast { before } else { after.clone() })
        .collect();
    Tuple { values }
}

/// The key's bytes; none when a part of it is NULL or did not travel.
pub(super) fn key_of(table: &TargetTable, tuple: &Tuple) -> Option<Bytes> {
    let text = |position: &usize| match tuple.values.get(*position) {
        Some(Value::Text(bytes)) => Some(bytes),
        _ => None,
    };
    if let [only] = table.identity.as_slice() {
        return text(only).cloned();
    }
    let mut key = Vec::new();
    for position in &table.identity {
        let bytes = text(position)?;
        key.extend_from_slice(&u32::try_from(bytes.len()).ok()?.to_be_bytes());
        key.extend_from_slice(bytes);
    }
    Some(key.into())
}
