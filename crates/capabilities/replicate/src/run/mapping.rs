//! Which table of a target that was there before takes the rows of which table of the source.
//!
//! A tree goes into its root as a whole, or partition by partition. Never both: emptying the root would empty partitions
//! that are filled already.

use std::collections::{BTreeSet, HashMap};

use atalaya_catalog::Relation;
use atalaya_data::RelationName;
use atalaya_postgres::Session;
use atalaya_postgres::catalog::read_relations;

use crate::Error;
use crate::ddl::{Places, refuse_unseen, unseen};
use crate::progress::TableRow;

/// Both sides' trees, and what is mapped already.
pub(crate) struct Mapper {
    source: Places,
    target: Places,
    names: BTreeSet<RelationName>,
    /// Tables of the target into which others than those of their names go.
    whole: BTreeSet<RelationName>,
    /// Roots of the source's trees that go partition by partition.
    divided: BTreeSet<RelationName>,
}

impl Mapper {
    /// Reads both sides; `known` are tables of the migration.
    pub(crate) async fn read(source: &Session, target: &Session, known: &[TableRow]) -> Result<Self, Error> {
        let (source, target, relations) =
            (Places::read(source).await?, Places::read(target).await?, read_relations(target).await?);
        let (alike, others): (Vec<&TableRow>, Vec<&TableRow>) = known.iter().partition(|row| row.source == row.target);
        Ok(Self {
            names: relations.into_iter().map(|relation| relation.name).collect(),
            whole: others.into_iter().map(|row| row.target.clone()).collect(),
            divided: alike.into_iter().filter_map(|row| source.root(&row.source)).cloned().collect(),
            source,
            target,
        })
    }

    /// The target's relation of each table: that of its name, or the root of its tree.
    ///
    /// # Errors
    /// When there is neither.
    pub(crate) fn map(&self, tables: &[Relation]) -> Result<HashMap<RelationName, RelationName>, Error> {
        let whole: BTreeSet<&RelationName> = tables
            .iter()
            .filter_map(|table| table.partition_root.as_ref().filter(|root| self.goes_whole(root, &table.name)))
            .collect();
        let target_of = |table: &Relation| {
            let root = table.partition_root.as_ref();
            let whole = root.filter(|root| whole.contains(root));
            [whole, Some(&table.name), root].into_iter().flatten().find(|name| self.names.contains(*name)).cloned()
        };
        let mut mapped = HashMap::new();
        for table in tables {
            let is_divided = table.partition_root.as_ref().is_some_and(|root| self.divided.contains(root));
            match target_of(table) {
                Some(found) if found == table.name || !is_divided => mapped.insert(table.name.clone(), found),
                _ => {
                    return Err(Error::refused(
                        "table-missing",
                        format!("the target has no table {} like the source's", table.name),
                        "create it there, or move without `--existing-schema`",
                    ));
                }
            };
        }
        Ok(mapped)
    }

    /// Whether a tree has to go into its root because of one of its partitions: the target has no such one, or one with
    /// other bounds, or the tree goes there already.
    fn goes_whole(&self, root: &RelationName, partition: &RelationName) -> bool {
        let other_bounds = || {
            let bounds = self.target.bounds(partition);
            !bounds.is_empty() && bounds != self.source.bounds(partition)
        };
        self.whole.contains(root) || !self.names.contains(partition) || other_bounds()
    }

    /// Refuses trees that do not fit together, divided so.
    pub(crate) fn refuse_unfit(&self, mapped: &HashMap<RelationName, RelationName>) -> Result<(), Error> {
        refuse_unseen(&unseen(&self.source, &self.target, mapped.iter()))
    }
}
