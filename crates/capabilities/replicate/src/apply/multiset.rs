//! Tables without a key: rows are counted, not known.
//!
//! Under REPLICA IDENTITY FULL an old row travels whole, so that any mix of changes comes down to so many
//! more or fewer copies of each row; the order between them does not matter.

use std::collections::HashMap;

use atalaya_pgwire::pgoutput::{Tuple, Value};

use super::{Change, ChangeKind};

/// How many copies of a row come or go.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Copies {
    /// The whole row.
    pub(crate) row: Tuple,
    /// More than 0: copies to insert; less: copies to delete.
    pub(crate) count: i64,
}

/// Adds the changes of one table up; none when an old row is not whole.
pub(crate) fn add_up<'a>(changes: impl Iterator<Item = &'a Change>) -> Option<Vec<Copies>> {
    let mut counts: HashMap<Tuple, i64> = HashMap::new();
    for change in changes {
        match &change.kind {
            ChangeKind::Insert(row) => *counts.entry(row.clone()).or_default() += 1,
            ChangeKind::Delete(row) => *counts.entry(row.clone()).or_default() -= 1,
            ChangeKind::Update { old, new } => {
                let old = old.as_ref()?;
                *counts.entry(old.clone()).or_default() -= 1;
                *counts.entry(filled(old, new)).or_default() += 1;
            }
        }
    }
    let copies: Vec<Copies> =
        counts.into_iter().filter(|(_, count)| *count != 0).map(|(row, count)| Copies { row, count }).collect();
    let whole = |row: &Tuple| !row.values.contains(&Value::UnchangedToast);
    copies.iter().all(|copies| whole(&copies.row)).then_some(copies)
}

/// The new row, with the old one's values where a TOAST value did not change.
fn filled(old: &Tuple, new: &Tuple) -> Tuple {
    let values = old.values.iter().zip(&new.values);
    Tuple {
        values: values
            .map(|(old, new)| if *new == Value::UnchangedToast { old.clone() } else { new.clone() })
            .collect(),
    }
}
