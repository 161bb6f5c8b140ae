//! Where tables stand in their trees on both sides: an attached or detached partition changes no row, and nothing of it is
//! in the stream. Yet it changes what is read through a parent.

use std::collections::{BTreeMap, BTreeSet};

use atalaya_data::RelationName;
use atalaya_postgres::Session;

use crate::Error;

/// A relation's place in a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// What it is a partition of or inherits from, in order.
    parents: Vec<RelationName>,
    /// A partition's bound, as SQL.
    bound: Option<String>,
}

/// A relation that stands elsewhere than on the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misplaced {
    /// Which; a partitioned one, too.
    pub(crate) table: RelationName,
    source: Place,
    target: Place,
}

impl Misplaced {
    /// The statement that takes it off its place on the target, where it is a partition there.
    pub(crate) fn detach_sql(&self) -> Option<String> {
        let parent = partition_of(&self.target)?;
        Some(format!("ALTER TABLE {} DETACH PARTITION {}", parent.to_sql(), self.table.to_sql()))
    }

    /// The statement that gives it the source's place, where it is a partition there.
    pub(crate) fn attach_sql(&self) -> Option<String> {
        let (parent, bound) = (partition_of(&self.source)?, self.source.bound.as_ref()?);
        Some(format!("ALTER TABLE {} ATTACH PARTITION {} {bound}", parent.to_sql(), self.table.to_sql()))
    }

    /// What both statements need to lead to the source's place: trees of partitions, not of inheritance.
    pub(crate) fn is_partition(&self) -> bool {
        [&self.source, &self.target].into_iter().all(|place| place.parents.is_empty() == place.bound.is_none())
    }

    /// What has become of it on the source, for people.
    pub(crate) fn change(&self) -> String {
        match (partition_of(&self.target), partition_of(&self.source)) {
            (Some(from), None) => format!("table {} was detached from {from}", self.table),
            (None, Some(to)) => format!("table {} was attached to {to}", self.table),
            (Some(_), Some(to)) => format!("table {} was detached, and attached to {to}", self.table),
            (None, None) => format!("table {} inherits from other tables", self.table),
        }
    }

    /// What to do on the target.
    fn remedy(&self) -> String {
        let statements: Vec<String> = [self.detach_sql(), self.attach_sql()].into_iter().flatten().collect();
        match self.is_partition() {
            true => format!("`{}`", statements.join("; ")),
            false => format!("`ALTER TABLE {} INHERIT` or `NO INHERIT`, as on the source", self.table.to_sql()),
        }
    }
}

fn partition_of(place: &Place) -> Option<&RelationName> {
    place.bound.as_ref().and_then(|_| place.parents.first())
}

/// Every relation's place.
#[derive(Debug, Default)]
pub(crate) struct Places {
    by_name: BTreeMap<RelationName, Place>,
    oids: BTreeSet<u32>,
}

impl Places {
    /// Reads them. A partition whose concurrent detaching is not finished is none any more to those who read the parent.
    pub(crate) async fn read(session: &Session) -> Result<Self, Error> {
        let rows = session
            .query(
                "SELECT n.nspname::text, c.relname::text,
                        coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_array(s.nspname, p.relname) ORDER BY i.inhseqno)
                                    FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
                                    JOIN pg_catalog.pg_namespace s ON s.oid = p.relnamespace
                                   WHERE i.inhrelid = c.oid
                                     AND NOT coalesce((pg_catalog.to_jsonb(i) ->> 'inhdetachpending')::bool, false)),
                                 '[]')::text,
                        pg_catalog.pg_get_expr(c.relpartbound, c.oid), c.oid
                   FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                  WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
                    AND n.nspname NOT IN ('information_schema', 'atalaya')",
                &[],
            )
            .await?;
        let mut places = Self::default();
        for row in &rows {
            let text = |column: usize| row.get::<_, String>(column);
            let parents: Vec<(String, String)> =
                serde_json::from_str(&text(2)).map_err(|_| Error::Broken("a table's parents cannot be read"))?;
            let parents: Vec<RelationName> =
                parents.into_iter().map(|(schema, name)| RelationName::new(schema, name)).collect();
            let bound = row.get::<_, Option<String>>(3).filter(|_| !parents.is_empty());
            places.oids.insert(row.get(4));
            places.by_name.insert(RelationName::new(text(0), text(1)), Place { parents, bound });
        }
        Ok(places)
    }

    /// What a partition's rows have to fit, from the inside out; nothing for a table that is no partition.
    pub(crate) fn bounds(&self, table: &RelationName) -> Vec<&str> {
        let mut bounds = Vec::new();
        let mut place = self.by_name.get(table);
        while let Some((bound, parent)) =
            place.and_then(|place| Some((place.bound.as_deref()?, place.parents.first()?)))
        {
            bounds.push(bound);
            place = self.by_name.get(parent);
        }
        bounds
    }

    /// The root of a partition's tree.
    pub(crate) fn root(&self, table: &RelationName) -> Option<&RelationName> {
        let parent_of = |name: &RelationName| {
            let place = self.by_name.get(name).filter(|place| place.bound.is_some());
            place.and_then(|place| place.parents.first())
        };
        let mut root = parent_of(table)?;
        while let Some(parent) = parent_of(root) {
            root = parent;
        }
        Some(root)
    }

    /// Whether a relation is there.
    pub(super) fn has(&self, relation: &RelationName) -> bool {
        self.by_name.contains_key(relation)
    }

    /// Whether a relation is a partition.
    pub(super) fn is_partition(&self, relation: &RelationName) -> bool {
        self.by_name.get(relation).is_some_and(|place| place.bound.is_some())
    }

    /// The relation itself and all that it is a part of; nothing for one that is not there.
    pub(super) fn with_ancestors(&self, table: &RelationName) -> BTreeSet<RelationName> {
        let mut found = BTreeSet::new();
        let mut left = vec![table.clone()];
        while let Some(name) = left.pop() {
            if let Some(place) = self.by_name.get(&name)
                && found.insert(name)
            {
                left.extend(place.parents.iter().cloned());
            }
        }
        found
    }
}

/// Relations of trees that the move has made, and that stand elsewhere than on the source; each table with the OID that the
/// source's had. One that is gone there is a part of nothing.
pub(crate) fn misplaced(
    source: &Places,
    target: &Places,
    tables: impl IntoIterator<Item = (RelationName, Option<u32>)>,
) -> Vec<Misplaced> {
    let mut names = BTreeSet::new();
    let mut gone = BTreeSet::new();
    for (table, oid) in tables {
        names.extend(source.with_ancestors(&table));
        names.extend(target.with_ancestors(&table));
        if !source.by_name.contains_key(&table) && oid.is_some_and(|oid| !source.oids.contains(&oid)) {
            gone.insert(table);
        }
    }
    let nowhere = Place::default();
    names
        .into_iter()
        .filter_map(|table| {
            let there = target.by_name.get(&table)?;
            let here = source.by_name.get(&table).or_else(|| gone.contains(&table).then_some(&nowhere))?;
            (here != there).then(|| Misplaced { source: here.clone(), target: there.clone(), table })
        })
        .collect()
}

/// Refuses to end a move whose tables stand elsewhere in their trees than on the source.
pub(crate) fn refuse_misplaced(differing: &[Misplaced]) -> Result<(), Error> {
    if differing.is_empty() {
        return Ok(());
    }
    let changes: Vec<String> = differing.iter().map(Misplaced::change).collect();
    let remedies: Vec<String> = differing.iter().map(Misplaced::remedy).collect();
    Err(Error::refused(
        "trees-differ",
        format!("partitions were attached or detached on one side only: {}", changes.join("; ")),
        format!("run on the target {}, then the same command again", remedies.join(", ")),
    ))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::ddl) fn places(of: &[(&str, &str)]) -> Places {
        let place = |parent: &str| match parent {
            "" => Place::default(),
            parent => Place { parents: vec![name(parent)], bound: Some("DEFAULT".to_owned()) },
        };
        Places {
            by_name: of.iter().map(|(table, parent)| (name(table), place(parent))).collect(),
            oids: BTreeSet::new(),
        }
    }

    pub(in crate::ddl) fn name(name: &str) -> RelationName {
        RelationName::new("s", name)
    }

    #[test]
    fn a_subtree_that_moved_is_seen_though_its_leaves_stand_where_they_stood() {
        let tree = places(&[("root", ""), ("sub", "root"), ("leaf", "sub")]);
        let apart = places(&[("root", ""), ("sub", ""), ("leaf", "sub")]);
        let found = misplaced(&tree, &apart, [(name("leaf"), None)]);
        assert_eq!(found.iter().map(Misplaced::change).collect::<Vec<_>>(), ["table s.sub was attached to s.root"]);
        assert_eq!(found[0].attach_sql().unwrap(), "ALTER TABLE \"s\".\"root\" ATTACH PARTITION \"s\".\"sub\" DEFAULT");
        assert_eq!(found[0].detach_sql(), None);
        let gone = misplaced(&places(&[("root", "")]), &tree, [(name("leaf"), Some(1))]);
        assert_eq!(gone[0].detach_sql().unwrap(), "ALTER TABLE \"s\".\"sub\" DETACH PARTITION \"s\".\"leaf\"");
        let back = misplaced(&apart, &tree, [(name("leaf"), None)]);
        assert_eq!(back[0].detach_sql().unwrap(), "ALTER TABLE \"s\".\"root\" DETACH PARTITION \"s\".\"sub\"");
    }
}
