//! Each table's policy: checked and stored when a run begins, never changed while it runs.

use atalaya_catalog::{Relation, RelationKind};
use atalaya_data::{RelationName, quote_literal};
use atalaya_estate::{ConflictPolicy, ConflictRules};
use atalaya_postgres::Session;
use atalaya_postgres::catalog::read_relations;

use crate::progress::Store;
use crate::{Error, Plan};

/// `timestamp` and `timestamptz`: the types of a column that says when a row was written.
const TIMESTAMP: u32 = 1114;
const TIMESTAMPTZ: u32 = 1184;

/// A table's policy, bound to the target's columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Any conflict stops the run.
    #[default]
    Stop,
    /// The source's row wins.
    SourceWins,
    /// The target's row wins.
    TargetWins,
    /// The row with the later time in a column wins.
    LatestWins {
        /// The column's position in the relation message.
        position: usize,
        /// Whether it is `timestamptz`; a `timestamp` is taken for UTC.
        zoned: bool,
    },
}

impl Policy {
    /// Binds a table's policy to what the target's table is.
    ///
    /// # Errors
    /// When the column of `latest-wins` is none that times can be read from.
    pub(crate) fn bind(policy: &ConflictPolicy, target: &Relation, columns: &[&str]) -> Result<Self, Error> {
        Ok(match policy {
            ConflictPolicy::Stop => Self::Stop,
            ConflictPolicy::SourceWins => Self::SourceWins,
            ConflictPolicy::TargetWins => Self::TargetWins,
            ConflictPolicy::LatestWins { column } => {
                let position = columns.iter().position(|name| name == column);
                let found = target.columns.iter().find(|each| each.name == *column).map(|each| each.type_oid);
                match (position, found) {
                    (Some(position), Some(TIMESTAMP)) => Self::LatestWins { position, zoned: false },
                    (Some(position), Some(TIMESTAMPTZ)) => Self::LatestWins { position, zoned: true },
                    _ => {
                        return Err(Error::refused(
                            "conflict-policy",
                            format!("table {} has no column that tells by time which row is later", target.name),
                            "give it another policy with `--conflicts`",
                        ));
                    }
                }
            }
        })
    }

    /// The policy's word.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::SourceWins => "source-wins",
            Self::TargetWins => "target-wins",
            Self::LatestWins { .. } => "latest-wins",
        }
    }
}

/// Refuses policies that tables of the source cannot have.
pub(crate) fn refuse_policies<'all>(
    rules: &ConflictRules,
    tables: impl Iterator<Item = &'all Relation>,
) -> Result<(), Error> {
    let mut refused = tables.filter_map(|table| Some((&table.name, rules.of(table).refusal(table)?)));
    match refused.next() {
        None => Ok(()),
        Some((name, (seen, hint))) => {
            let others = refused.count();
            let more = if others > 0 { format!(" (and {others} more tables)") } else { String::new() };
            Err(Error::refused("conflict-policy", format!("table {name}: {seen}{more}"), hint))
        }
    }
}

/// Stores what this run was told of its tables' policies; told nothing, those that are stored stay. Either way a table
/// that cannot have its policy any more is refused.
pub(crate) async fn settle_policies(plan: &Plan, source: &Session, store: &Store<'_>) -> Result<(), Error> {
    let tables = store.read_tables().await?;
    if plan.options.conflicts.is_none() && tables.iter().all(|table| table.conflicts.is_stop()) {
        return Ok(());
    }
    let relations = read_relations(source).await?;
    let mut sql = String::new();
    for table in &tables {
        let Some(relation) = find(&relations, &table.source) else { continue };
        let policy = match &plan.options.conflicts {
            Some(rules) => rules.of(relation),
            None => table.conflicts.clone(),
        };
        if let Some((seen, hint)) = policy.refusal(relation) {
            return Err(Error::refused("conflict-policy", format!("table {}: {seen}", table.source), hint));
        }
        if policy != table.conflicts {
            sql.push_str(&format!(
                "UPDATE atalaya.tables SET conflicts = {} WHERE migration = {} AND schema = {} AND name = {};",
                quote_literal(&policy.to_string()),
                quote_literal(store.name),
                quote_literal(&table.source.schema),
                quote_literal(&table.source.name)
            ));
        }
    }
    if !sql.is_empty() {
        store.session.batch(&format!("BEGIN; {sql} COMMIT")).await?;
    }
    Ok(())
}

fn find<'all>(relations: &'all [Relation], name: &RelationName) -> Option<&'all Relation> {
    relations.iter().find(|relation| relation.name == *name && relation.kind == RelationKind::Table)
}
