//! The order in which tables are filled: parents first; in a cycle, keys that may be NULL wait.

use std::collections::BTreeSet;

use super::catalog::{ForeignKey, Table};

/// One table's turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// Its place in the list.
    pub(super) table: usize,
    /// Names of foreign keys whose parents come later: NULL at first.
    pub(super) waiting: BTreeSet<String>,
}

/// Whether a key may be NULL.
pub(super) fn is_optional(table: &Table, key: &ForeignKey) -> bool {
    table.columns.iter().filter(|column| key.columns.contains(&column.name)).any(|column| !column.is_not_null)
}

/// Every table once.
pub(super) fn order(tables: &[Table]) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    let mut left: BTreeSet<usize> = (0..tables.len()).collect();
    while !left.is_empty() {
        let open = |at: usize| -> Vec<&ForeignKey> {
            let Some(table) = tables.get(at) else { return Vec::new() };
            let waits = |key: &&ForeignKey| {
                key.parent == table.name
                    || left.iter().any(|other| tables.get(*other).is_some_and(|parent| parent.name == key.parent))
            };
            table.foreign_keys.iter().filter(waits).collect()
        };
        let others = |at: usize| {
            tables.get(at).map_or(0, |table| open(at).iter().filter(|key| key.parent != table.name).count())
        };
        let optional = |at: usize| {
            tables
                .get(at)
                .is_some_and(|table| open(at).iter().all(|key| key.parent == table.name || is_optional(table, key)))
        };
        // The first of a cycle whose keys must not be NULL stays empty, unless somebody fills it otherwise.
        let next = left.iter().copied().find(|at| others(*at) == 0);
        let next = next.or_else(|| left.iter().copied().find(|at| optional(*at))).or_else(|| left.first().copied());
        let Some(next) = next else { break };
        let waiting = tables.get(next).map_or_else(BTreeSet::new, |table| {
            open(next).iter().filter(|key| is_optional(table, key)).map(|key| key.name.clone()).collect()
        });
        left.remove(&next);
        turns.push(Turn { table: next, waiting });
    }
    turns
}

#[cfg(test)]
mod tests {
    use atalaya_data::RelationName;

    use super::*;
    use crate::fill::catalog::Column;

    /// A table with a column for each parent, which may be NULL where the parent's name ends with `?`.
    fn table(name: &str, parents: &[&str]) -> Table {
        let column = |parent: &&str| Column {
            name: format!("to_{parent}"),
            type_sql: "int".into(),
            type_oid: 23,
            typmod: -1,
            is_not_null: !parent.ends_with('?'),
            is_servers: false,
            is_unique: false,
            bounds: Vec::new(),
        };
        let key = |parent: &&str| ForeignKey {
            name: format!("{name}_{parent}"),
            columns: vec![format!("to_{parent}")],
            parent: RelationName::new("s", parent.trim_end_matches('?')),
            parent_columns: vec!["id".into()],
            is_unique: false,
        };
        Table {
            name: RelationName::new("s", name),
            columns: parents.iter().map(column).collect(),
            foreign_keys: parents.iter().map(key).collect(),
            is_referred_to: false,
            is_deferrable: false,
        }
    }

    #[test]
    fn parents_come_first_and_cycles_are_cut_where_a_key_may_be_null() {
        let tables = [table("a", &["b"]), table("b", &["c?"]), table("c", &["a", "c?"]), table("d", &[])];
        let turns = order(&tables);
        let names: Vec<_> = turns.iter().map(|turn| tables[turn.table].name.name.clone()).collect();
        assert_eq!(names, ["d", "b", "a", "c"]);
        let waiting: Vec<Vec<_>> = turns.iter().map(|turn| turn.waiting.iter().cloned().collect()).collect();
        assert_eq!(waiting, [vec![], vec!["b_c?".to_owned()], vec![], vec!["c_c?".to_owned()]]);
    }
}
