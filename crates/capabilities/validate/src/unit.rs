//! What is compared as one: a table on each side, or several source tables that make up one target table.

use std::collections::HashMap;

use atalaya_catalog::{Column, Generated, Relation, RelationKind};
use atalaya_data::RelationName;

use crate::canonical::{Compared, Hashing, Place, SideSql, is_binary};

/// A table on each side, ready to be compared.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    /// The (first) source table.
    pub(crate) source_name: RelationName,
    /// The further source tables that make up the target table with the first.
    further_sources: Vec<RelationName>,
    /// The target table.
    pub(crate) target_name: RelationName,
    /// The source as SQL.
    pub(crate) source: SideSql,
    /// The target as SQL.
    pub(crate) target: SideSql,
    /// Compared columns, in the source's order.
    pub(crate) columns: Vec<String>,
    /// Those whose bytes are hashed in place of their text.
    pub(crate) binary: Vec<String>,
    /// Positions of the key's columns within `columns`, in key order; empty without a key.
    pub(crate) key: Vec<usize>,
    /// What is compared, in words that are another's as soon as anything of it changes.
    pub(crate) shape: String,
    /// Columns that the target lacks.
    pub(crate) missing_columns: Vec<String>,
    /// Columns that only the target has.
    pub(crate) extra_columns: Vec<String>,
    /// The planner's estimate on the source, never negative.
    pub(crate) estimated_rows: f64,
    /// Bytes on the source, TOAST included.
    pub(crate) bytes: u64,
}

impl Unit {
    /// Pairs source tables (at least one) with the target table they make up.
    pub(crate) fn new(
        sources: &[&Relation],
        target: &Relation,
        since: &str,
        sizes: &HashMap<RelationName, (f64, u64)>,
        hashing: Hashing,
    ) -> Option<Self> {
        let first = *sources.first()?;
        let wanted: Vec<&Column> =
            first.columns.iter().filter(|column| column.generated != Generated::Virtual).collect();
        let mut columns = Vec::new();
        let mut missing_columns = Vec::new();
        for column in wanted {
            match target.columns.iter().find(|other| other.name == column.name) {
                Some(other) => columns.push((column, other)),
                None => missing_columns.push(column.name.clone()),
            }
        }
        let extra_columns = target
            .columns
            .iter()
            .filter(|other| other.generated != Generated::Virtual)
            .filter(|other| !first.columns.iter().any(|column| column.name == other.name))
            .map(|other| other.name.clone())
            .collect();
        let key: Option<Vec<usize>> =
            first.key_columns().map(|key| columns.iter().position(|(column, _)| column.name == key.name)).collect();
        let key = key.unwrap_or_default();
        let places: Vec<Place> = sources.iter().map(|relation| place(relation)).collect();
        let (estimated_rows, bytes) = sources
            .iter()
            .filter_map(|relation| sizes.get(&relation.name))
            .fold((0.0, 0), |(rows, bytes), size| (rows + size.0, bytes + size.1));
        let by_bytes: Vec<bool> = columns.iter().map(|(one, other)| is_binary(one) && is_binary(other)).collect();
        let (source_columns, target_columns): (Vec<&Column>, Vec<&Column>) = columns.into_iter().unzip();
        Some(Self {
            source_name: first.name.clone(),
            further_sources: sources.iter().skip(1).map(|relation| relation.name.clone()).collect(),
            target_name: target.name.clone(),
            source: SideSql::new(&places, &compared(&source_columns, &by_bytes), key.clone(), hashing),
            target: SideSql::new(&[place(target)], &compared(&target_columns, &by_bytes), key.clone(), hashing),
            shape: shape(sources, target, since, &source_columns, &target_columns),
            columns: source_columns.iter().map(|column| column.name.clone()).collect(),
            binary: names_of(&source_columns, &by_bytes),
            key,
            missing_columns,
            extra_columns,
            estimated_rows,
            bytes,
        })
    }

    /// Every source table.
    pub(crate) fn source_names(&self) -> impl Iterator<Item = &RelationName> {
        std::iter::once(&self.source_name).chain(&self.further_sources)
    }

    /// Whether rows are matched by a key; else whole rows are counted.
    pub(crate) fn keyed(&self) -> bool {
        self.source.keyed()
    }
}

/// The form of the proof itself; raised when rows are compared in another way than before.
const PROOF_FORMAT: u32 = 2;

fn shape(sources: &[&Relation], target: &Relation, since: &str, source: &[&Column], on_target: &[&Column]) -> String {
    let oids: Vec<u32> = sources.iter().map(|relation| relation.oid).collect();
    let column = |column: &&Column| format!("{} {}", column.name, column.declared_type);
    let all = |columns: &[&Column]| columns.iter().map(column).collect::<Vec<_>>().join(", ");
    format!(
        "{PROOF_FORMAT} {} {oids:?} since {since} to {}: {} = {}",
        env!("CARGO_PKG_VERSION"),
        target.oid,
        all(source),
        all(on_target)
    )
}

fn compared<'all>(columns: &[&'all Column], by_bytes: &[bool]) -> Vec<Compared<'all>> {
    columns.iter().zip(by_bytes).map(|(column, by_bytes)| Compared { column, by_bytes: *by_bytes }).collect()
}

fn names_of(columns: &[&Column], chosen: &[bool]) -> Vec<String> {
    columns.iter().zip(chosen).filter(|(_, chosen)| **chosen).map(|(column, _)| column.name.clone()).collect()
}

fn place(relation: &Relation) -> Place {
    Place { name: relation.name.clone(), partitioned: relation.kind == RelationKind::Partitioned }
}

/// Estimated rows and bytes of each relation, those of its partitions included.
pub(crate) fn sizes(relations: &[Relation]) -> HashMap<RelationName, (f64, u64)> {
    let mut sizes: HashMap<RelationName, (f64, u64)> = HashMap::new();
    for relation in relations.iter().filter(|relation| relation.holds_rows()) {
        let rows = relation.estimated_rows.max(0.0);
        for name in [Some(&relation.name), relation.partition_root.as_ref()].into_iter().flatten() {
            let size = sizes.entry(name.clone()).or_default();
            size.0 += rows;
            size.1 += relation.bytes;
        }
    }
    sizes
}
