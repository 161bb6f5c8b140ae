//! The way back as a plan of its own: the same tables, the other way.

use std::collections::BTreeSet;

use atalaya_catalog::Relation;
use atalaya_data::{MigrationId, RelationName};
use atalaya_postgres::Session;
use atalaya_postgres::catalog::read_relations;
use rand::RngExt;

use crate::progress::Store;
use crate::{DdlTrigger, Direction, Error, LargeObjects, Plan, StopWhen};

/// What is chosen of the new server's tables, by names that stand for whole trees.
struct Chosen {
    tables: BTreeSet<RelationName>,
    append_only: BTreeSet<RelationName>,
}

/// The plan of the way back of a move whose rows stand on the target.
pub(super) async fn opposite(plan: &Plan, target: &Store<'_>) -> Result<Plan, Error> {
    let Chosen { tables, append_only } = chosen(target).await?;
    let mut options = plan.options.clone();
    options.direction = Direction::Back;
    options.stop_when = StopWhen::Told;
    options.existing_schema = true;
    options.large_objects = LargeObjects::Left;
    options.snapshot_from = None;
    options.conflicts = None;
    options.ddl_trigger = DdlTrigger::Left;
    options.spool.limit_bytes = 0;
    Ok(Plan {
        name: plan.name.clone(),
        id: MigrationId::new(plan.name.clone(), rand::rng().random()),
        source: plan.target.clone(),
        target: plan.source.clone(),
        tables: Box::new(move |name| tables.contains(name)),
        append_only: Box::new(move |name| append_only.contains(name)),
        options,
    })
}

async fn chosen(target: &Store<'_>) -> Result<Chosen, Error> {
    let relations = read_relations(target.session).await?;
    let root = |name: &RelationName| {
        let found = relations.iter().find(|relation| relation.name == *name);
        found.and_then(|relation| relation.partition_root.as_ref()).unwrap_or(name).clone()
    };
    let mut chosen = Chosen { tables: BTreeSet::new(), append_only: BTreeSet::new() };
    for row in target.read_tables().await? {
        let name = root(&row.target);
        if row.append_only {
            chosen.append_only.insert(name.clone());
        }
        chosen.tables.insert(name);
    }
    Ok(chosen)
}

/// Tables of the new server that the way back would not bring, since they came after it was made.
pub(super) async fn left_out(plan: &Plan, target: &Session, source: &Store<'_>) -> Result<Vec<RelationName>, Error> {
    let brought: BTreeSet<RelationName> = source.read_tables().await?.into_iter().map(|row| row.source).collect();
    let chosen: Vec<Relation> = crate::run::chosen_tables(plan, target).await?;
    Ok(chosen.into_iter().map(|relation| relation.name).filter(|name| !brought.contains(name)).collect())
}
