//! Whether trees that somebody else has made fit the source's: whatever way each side divides its tables, one name has to
//! hold the same rows.

use std::collections::BTreeSet;

use atalaya_data::RelationName;

use super::partitions::Places;
use crate::Error;

/// A table whose rows are read through a relation on one side only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Unseen {
    /// The source's table.
    pub(crate) table: RelationName,
    /// Where its rows go.
    target: RelationName,
    /// Through which relation, that both sides have.
    through: RelationName,
    /// Which side has its rows there.
    only: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Source,
    Target,
}

impl Unseen {
    /// What is the matter, for people.
    pub(crate) fn difference(&self) -> String {
        let (has, lacks) = match self.only {
            Side::Source => ("source", "target"),
            Side::Target => ("target", "source"),
        };
        format!("rows of {} are in {} on the {has}, and not on the {lacks}", self.table, self.through)
    }

    /// What to do.
    pub(crate) fn remedy(&self) -> String {
        let Self { table, target, through, .. } = self;
        let again = format!("`atalaya migrate add-table --table {} --again`", table.to_argument());
        match self.only {
            // Another table has taken it in.
            Side::Target if target == through => {
                format!("make table {table} on the target like the source's, then {again} moves it there")
            }
            Side::Source if table == target => format!(
                "where {through} is partitioned on the target, too, attach {table} there; where it is one table, drop {table} \
                 on the target, then {again} moves it into {through}"
            ),
            _ => format!("divide {through} alike on both sides, as to {table}"),
        }
    }
}

/// Tables whose rows are read through different relations, of those that both sides have. Where somebody else has made the
/// target's trees, they may be others on purpose, with other bounds for partitions of the same name; but what is no
/// partition on one of the sides has to hold the same rows.
pub(crate) fn unseen<'a>(
    source: &Places,
    target: &Places,
    tables: impl Iterator<Item = (&'a RelationName, &'a RelationName)>,
) -> Vec<Unseen> {
    let mut found = BTreeSet::new();
    for (table, goes_to) in tables.filter(|(table, _)| source.has(table)) {
        let (here, there) = (source.with_ancestors(table), target.with_ancestors(goes_to));
        let both = |name: &&RelationName| {
            source.has(name) && target.has(name) && !(source.is_partition(name) && target.is_partition(name))
        };
        let mut differ = |through: &RelationName, only: Side| {
            found.insert(Unseen { table: table.clone(), target: goes_to.clone(), through: through.clone(), only });
        };
        here.difference(&there).filter(both).for_each(|name| differ(name, Side::Source));
        there.difference(&here).filter(both).for_each(|name| differ(name, Side::Target));
    }
    found.into_iter().collect()
}

/// Refuses where what has one name on both sides would hold other rows.
pub(crate) fn refuse_unseen(found: &[Unseen]) -> Result<(), Error> {
    let Some(first) = found.first() else { return Ok(()) };
    let differences: Vec<String> = found.iter().take(5).map(Unseen::difference).collect();
    Err(Error::refused(
        "trees-differ",
        format!("the sides are divided in ways that do not fit together: {}", differences.join("; ")),
        format!("{}; then run the same command again", first.remedy()),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::partitions::tests::{name, places};
    use super::*;

    #[test]
    fn trees_made_in_another_way_on_purpose_fit_as_long_as_one_name_holds_the_same_rows() {
        let tree = places(&[("root", ""), ("one", "root"), ("two", "root")]);
        let flat = places(&[("root", "")]);
        let tables = [(name("one"), name("root")), (name("two"), name("root"))];
        let unseen = |source: &Places, target: &Places, tables: &[(RelationName, RelationName)]| {
            unseen(source, target, tables.iter().map(|(table, to)| (table, to)))
        };
        assert_eq!(unseen(&tree, &flat, &tables), []);
        let detached = places(&[("root", ""), ("one", ""), ("two", "root")]);
        let found = unseen(&detached, &flat, &tables);
        assert_eq!(found[0].difference(), "rows of s.one are in s.root on the target, and not on the source");
        let (with, without) = (places(&[("root", ""), ("x", "root")]), places(&[("root", ""), ("x", "")]));
        let found = unseen(&with, &without, &[(name("x"), name("x"))]);
        assert_eq!(found[0].difference(), "rows of s.x are in s.root on the source, and not on the target");
        // One whole table of the source that the target divides.
        assert_eq!(unseen(&flat, &tree, &[(name("root"), name("root"))]), []);
    }
}
