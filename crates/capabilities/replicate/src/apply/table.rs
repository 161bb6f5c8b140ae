//! A source relation's place on the target: names, types, identity, and where its own history begins.

use std::collections::HashMap;
use std::sync::Arc;

use atalaya_catalog::{Generated, Relation as CatalogRelation, RelationKind};
use atalaya_data::{Lsn, RelationName};
use atalaya_estate::ConflictPolicy;
use atalaya_pgwire::pgoutput;

use crate::Error;
use crate::conflict::Policy;
use crate::ddl::{Definition, SourceTable};

/// A column of the target, in the order of the source's relation message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetColumn {
    /// The name as the catalog holds it.
    pub(crate) name: String,
    /// The target's type, safe in a cast.
    pub(crate) type_sql: String,
    /// The same with its length or precision.
    pub(crate) declared_sql: String,
    /// The operator that finds a value, safe under an empty search path.
    pub(crate) equality: String,
    /// Whether two values are equal exactly when their texts are.
    pub(crate) comparable: bool,
    /// Whether the target refuses an UPDATE of it (`GENERATED ALWAYS AS IDENTITY`).
    pub(crate) identity_always: bool,
}

/// Where the changes of one source relation go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetTable {
    /// The source's OID, as relation messages name it.
    pub(crate) source_oid: u32,
    /// The source's relation.
    pub(crate) source: RelationName,
    /// The target's relation.
    pub(crate) name: RelationName,
    /// Whether its rows are in partitions of its own.
    pub(crate) partitioned: bool,
    /// How many tables of the source make it up.
    pub(crate) sources: usize,
    /// Columns in the relation message's order.
    pub(crate) columns: Vec<TargetColumn>,
    /// Positions of the columns by which a row is known; all of them for a table without a key.
    pub(crate) identity: Vec<usize>,
    /// Whether rows are known only by all their values.
    pub(crate) keyless: bool,
    /// For a table without a key: a column that leads an index, to find rows that have a value there without a scan.
    pub(crate) locator: Option<usize>,
    /// Changes of transactions before this position are in the table's copy.
    pub(crate) start_lsn: Lsn,
    /// Whether old rows travel whole.
    pub(crate) full: bool,
    /// What is done with rows that somebody else wrote.
    pub(crate) policy: Policy,
}

impl TargetTable {
    /// Whether a row that is there has to be looked at before it is changed: without a policy by which one of the rows
    /// wins, and without the old row, the number of touched rows tells everything that can be told.
    pub(crate) fn has_to_look(&self) -> bool {
        self.policy != Policy::Stop && (self.full || matches!(self.policy, Policy::LatestWins { .. }))
    }

    /// Whether changes of one row can be folded by the bytes of its key.
    pub(crate) fn is_foldable(&self) -> bool {
        !self.keyless && self.identity.iter().all(|position| self.columns.get(*position).is_some_and(|c| c.comparable))
    }

    /// The table's own rows: those of children that inherit from it came as their own tables' changes.
    pub(crate) fn rows_sql(&self) -> String {
        let only = if self.partitioned { "" } else { "ONLY " };
        format!("{only}{}", self.name.to_sql())
    }

    /// Positions of the columns that are no part of the identity.
    pub(crate) fn others(&self) -> impl Iterator<Item = usize> {
        (0..self.columns.len()).filter(|position| !self.identity.contains(position))
    }
}

/// What a migration's row in `atalaya.tables` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// The target's relation.
    pub(crate) target: RelationName,
    /// Where the table's history begins.
    pub(crate) start_lsn: Lsn,
    /// What the source's table was then.
    pub(crate) definition: Option<Definition>,
    /// What is done with rows that somebody else wrote.
    pub(crate) conflicts: ConflictPolicy,
    /// Whether it is declared to be only inserted into.
    pub(crate) append_only: bool,
}

/// Everything needed to bind relation messages to the target.
pub(crate) struct TableSet {
    mappings: HashMap<RelationName, Mapping>,
    target: HashMap<RelationName, CatalogRelation>,
    locators: HashMap<RelationName, Vec<String>>,
    /// What the stream last said of each relation.
    described: HashMap<u32, pgoutput::Relation>,
    /// Those of them that a change was bound for since.
    bound: HashMap<u32, Arc<TargetTable>>,
}

impl TableSet {
    /// A set without any relation bound yet. `locators` are the leading columns of the target's indexes.
    pub(crate) fn new(
        mappings: HashMap<RelationName, Mapping>,
        target: Vec<CatalogRelation>,
        locators: HashMap<RelationName, Vec<String>>,
    ) -> Self {
        let target = target.into_iter().map(|relation| (relation.name.clone(), relation)).collect();
        Self { mappings, target, locators, described: HashMap::new(), bound: HashMap::new() }
    }

    /// Takes a relation message: the source's definition of a table from here on. It is judged when a change comes
    /// that is to be applied: of one that was applied before, it may say what the table was then.
    pub(crate) fn describe(&mut self, message: pgoutput::Relation) {
        self.bound.remove(&message.id);
        self.described.insert(message.id, message);
    }

    /// What the stream said of a relation that is not bound since.
    pub(crate) fn unbound(&self, source_oid: u32) -> Option<&pgoutput::Relation> {
        if self.bound.contains_key(&source_oid) { None } else { self.described.get(&source_oid) }
    }

    /// Where the history of a relation begins, if it is part of the migration.
    pub(crate) fn start_lsn(&self, source_oid: u32) -> Option<Lsn> {
        if let Some(table) = self.bound.get(&source_oid) {
            return Some(table.start_lsn);
        }
        let message = self.described.get(&source_oid)?;
        let name = RelationName::new(message.schema.clone(), message.name.clone());
        self.mappings.get(&name).map(|mapping| mapping.start_lsn)
    }

    /// Every table of the migration.
    pub(crate) fn mappings(&self) -> &HashMap<RelationName, Mapping> {
        &self.mappings
    }

    /// A table of the target.
    pub(crate) fn target(&self, name: &RelationName) -> Option<&CatalogRelation> {
        self.target.get(name)
    }

    /// Takes the target's tables as they are by now.
    pub(crate) fn renew_target(&mut self, target: Vec<CatalogRelation>) {
        self.target = target.into_iter().map(|relation| (relation.name.clone(), relation)).collect();
        self.bound.clear();
    }

    /// Takes another definition of a table for the known one.
    pub(crate) fn redefine(&mut self, source: &RelationName, definition: Definition) {
        if let Some(mapping) = self.mappings.get_mut(source) {
            mapping.definition = Some(definition);
        }
    }

    /// The table that a relation's changes go to.
    pub(crate) fn get(&self, source_oid: u32) -> Result<&Arc<TargetTable>, Error> {
        self.bound.get(&source_oid).ok_or(Error::Broken("a change came before its relation message"))
    }

    /// Binds what a relation message describes to the target; `now` is what the source's catalog says by this time.
    ///
    /// # Errors
    /// When the target's table cannot take the changes exactly as they come.
    pub(crate) fn bind(&mut self, message: &pgoutput::Relation, now: Option<&SourceTable>) -> Result<(), Error> {
        let source = RelationName::new(message.schema.clone(), message.name.clone());
        let Some(mapping) = self.mappings.get(&source) else {
            return Err(crate::ddl::unknown_relation(source));
        };
        let Some(target) = self.target.get(&mapping.target) else {
            return Err(crate::ddl::missing_on_target(source, &mapping.target));
        };
        if let Some(definition) = &mapping.definition {
            definition.check_message(&source, message, now.map(|now| &now.definition))?;
        }
        crate::ddl::check_columns(&source, message, target, mapping.definition.as_ref(), now)?;
        let columns: Vec<TargetColumn> =
            message.columns.iter().filter_map(|column| target_column(target, &column.name)).collect();
        let keyed = |flagged: &dyn Fn(usize) -> bool| (0..columns.len()).filter(|p| flagged(*p)).collect::<Vec<_>>();
        let full = message.replica_identity == pgoutput::ReplicaIdentity::Full;
        // A key with a column that does not travel, as a generated one, tells no two rows apart.
        let by_target_key: Option<Vec<usize>> =
            target.key_columns().map(|key| columns.iter().position(|column| column.name == key.name)).collect();
        let identity = if full {
            by_target_key.unwrap_or_default()
        } else {
            keyed(&|position| message.columns.get(position).is_some_and(|column| column.is_key))
        };
        let keyless = identity.is_empty();
        let locator = self.locators.get(&mapping.target).and_then(|names| locator_of(&columns, names));
        let identity = if keyless { (0..columns.len()).collect() } else { identity };
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let policy = Policy::bind(&mapping.conflicts, target, &names)?;
        if policy != Policy::Stop && (keyless || (policy == Policy::TargetWins && !full)) {
            return Err(Error::refused(
                "conflict-policy",
                format!(
                    "table {source} is known by another identity now, with which it cannot be under `{}`",
                    policy.word()
                ),
                "give the source's table back its key or REPLICA IDENTITY FULL, or another policy with `--conflicts`",
            ));
        }
        let table = TargetTable {
            source_oid: message.id,
            source,
            name: mapping.target.clone(),
            partitioned: target.kind == RelationKind::Partitioned,
            sources: self.mappings.values().filter(|other| other.target == mapping.target).count(),
            columns,
            identity,
            keyless,
            locator,
            start_lsn: mapping.start_lsn,
            full,
            policy,
        };
        self.bound.insert(message.id, Arc::new(table));
        Ok(())
    }
}

fn target_column(target: &CatalogRelation, name: &str) -> Option<TargetColumn> {
    let column = target.columns.iter().find(|column| column.name == name && column.generated == Generated::No)?;
    Some(TargetColumn {
        name: column.name.clone(),
        type_sql: column.type_sql.clone(),
        declared_sql: column.declared_type.clone(),
        equality: column.equality_sql(),
        comparable: column.byte_comparable,
        identity_always: column.identity == atalaya_catalog::Identity::Always,
    })
}

fn locator_of(columns: &[TargetColumn], names: &[String]) -> Option<usize> {
    names.iter().find_map(|name| columns.iter().position(|column| column.name == *name && column.comparable))
}
