//! `add-table`: tables that came after the move began become part of it, and tables whose rows were rewritten on the
//! source are copied again.

use std::collections::BTreeSet;
use std::time::Duration;

use atalaya_catalog::{Relation, RelationKind};
use atalaya_control::{FenceState, REPLICATOR_CHANNEL, REQUESTER_CHANNEL};
use atalaya_data::RelationName;
use atalaya_postgres::Session;
use atalaya_postgres::catalog::read_relations;
use rand::RngExt;
use tokio::time::Instant;

use crate::progress::{Migration, Phase, Reassigned, Store, TableRow};
use crate::run::{Mapper, refuse_rows, refuse_unidentified};
use crate::{Error, Plan, RelationFilter};

/// What becomes of tables that are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adding {
    /// They become part of the move.
    New,
    /// They are part of it, and are copied once more.
    Again,
}

/// What came of it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Added {
    /// The source's tables.
    pub tables: Vec<RelationName>,
    /// Whether they are copied; if not, the next run does it.
    pub copied: bool,
}

/// Adds tables that the plan and `wanted` choose; waits until a run that follows has copied them.
///
/// # Errors
/// When there is none, one cannot be followed, its place on the target is taken, or the run refuses it.
pub async fn add_tables(plan: &Plan, wanted: &RelationFilter, adding: Adding, limit: Duration) -> Result<Added, Error> {
    let name = format!("atalaya add {}", plan.name);
    let mut target = Session::connect_for_control(&plan.target, &name).await?;
    let source = Session::connect_for_control(&plan.source, &name).await?;
    let store = Store { session: &target, name: &plan.name };
    let migration = following(&store).await?;
    let relations = read_relations(&source).await?;
    let chosen = choose(plan, wanted, adding, &store, &relations).await?;
    let tables: Vec<RelationName> = chosen.iter().map(|relation| relation.name.clone()).collect();
    match adding {
        Adding::New => add(&source, &store, &migration, &chosen).await?,
        Adding::Again if migration.schema.existing => {
            again_where_they_belong(&source, &store, &tables, &relations).await?
        }
        Adding::Again => {
            let named: BTreeSet<&RelationName> = tables.iter().collect();
            let rows = store.read_tables().await?;
            let targets: Vec<RelationName> =
                rows.into_iter().filter(|row| named.contains(&row.source)).map(|row| row.target).collect();
            store.begin_again(&targets, &Reassigned::default()).await?;
        }
    }
    if !crate::is_running(&target, &plan.name).await? {
        return Ok(Added { tables, copied: false });
    }
    target.batch(&format!("LISTEN {REQUESTER_CHANNEL}")).await?;
    let sql = "INSERT INTO atalaya.control (migration, kind) VALUES ($1, 'add') RETURNING id";
    let id: i64 = target.query_one(sql, &[&plan.name.as_str()]).await?.get(0);
    target.query("SELECT pg_catalog.pg_notify($1, $2)", &[&REPLICATOR_CHANNEL, &plan.name.as_str()]).await?;
    // An idle source tells its position at once when a transaction follows.
    source.query("SELECT pg_catalog.pg_logical_emit_message(true, 'atalaya', 'add')", &[]).await?;
    wait(&mut target, id, tables, limit).await
}

async fn following(store: &Store<'_>) -> Result<Migration, Error> {
    match store.read().await? {
        Some(migration) if migration.phase == Phase::Stream => Ok(migration),
        Some(_) => Err(Error::refused(
            "copy-unfinished",
            "the first copy is not complete, or the move is at its end",
            "add tables while the move follows the source; see `atalaya migrate status`",
        )),
        None => Err(Error::refused(
            "unknown-migration",
            format!("the target knows no migration `{}`", store.name),
            "see `atalaya migrate status`",
        )),
    }
}

/// Tables that are named, each fit to be followed.
async fn choose<'all>(
    plan: &Plan,
    wanted: &RelationFilter,
    adding: Adding,
    store: &Store<'_>,
    relations: &'all [Relation],
) -> Result<Vec<&'all Relation>, Error> {
    let moved: BTreeSet<RelationName> = store.read_tables().await?.into_iter().map(|table| table.source).collect();
    let chosen: Vec<&Relation> = relations
        .iter()
        .filter(|relation| relation.kind == RelationKind::Table && relation.extension.is_none())
        .filter(|relation| relation.chosen_by(&plan.tables))
        .filter(|relation| wanted(&relation.name) || relation.partition_root.as_ref().is_some_and(wanted))
        .filter(|relation| moved.contains(&relation.name) == (adding == Adding::Again))
        .collect();
    if chosen.is_empty() {
        let (seen, hint) = match adding {
            Adding::New => (
                "no table of the source that matches is left out of the move",
                "name it as `schema.table`; the move's own patterns (`--tables`, `--exclude`) have to choose it, too",
            ),
            Adding::Again => {
                ("no table of the move matches", "name it as `schema.table`; see `atalaya migrate status`")
            }
        };
        return Err(Error::refused("nothing-selected", seen, hint));
    }
    refuse_unidentified(plan, chosen.iter().copied())?;
    Ok(chosen)
}

/// Writes the tables down; from then on the next run copies them.
async fn add(source: &Session, store: &Store<'_>, migration: &Migration, chosen: &[&Relation]) -> Result<(), Error> {
    let there = read_relations(store.session).await?;
    let tables: Vec<Relation> = chosen.iter().map(|relation| (*relation).clone()).collect();
    let targets = if migration.schema.existing {
        // Rows of one that other tables of the move make up are the move's own: all of them are copied again with this one.
        let known = store.read_tables().await?;
        let shared: BTreeSet<&RelationName> = known.iter().map(|row| &row.target).collect();
        let targets = Mapper::read(source, store.session, &known).await?.map(&tables)?;
        refuse_rows(store.session, targets.values().filter(|to| !shared.contains(to)).cloned()).await?;
        targets
    } else {
        let taken: Vec<String> = tables
            .iter()
            .filter(|table| there.iter().any(|other| other.name == table.name))
            .map(|table| table.name.to_string())
            .collect();
        if !taken.is_empty() {
            return Err(Error::refused(
                "target-not-empty",
                format!("tables of these names are on the target already: {}", taken.join(", ")),
                "drop or rename them there: the move makes them like the source's",
            ));
        }
        std::collections::HashMap::new()
    };
    let rows: Vec<(&Relation, RelationName, bool)> = tables
        .iter()
        .map(|table| {
            let target = targets.get(&table.name).cloned().unwrap_or_else(|| table.name.clone());
            (table, target, !table.followable)
        })
        .collect();
    let number: u32 = rand::rng().random();
    let addition = format!("{number:08x}");
    store.insert_tables(&rows, Some(&addition)).await
}

/// Has tables copied again, each to where it belongs by now in trees that somebody else has made: a partition that was
/// detached on the source has a table of its own, one that was attached goes with its root. What makes up one table of
/// the target with them is copied, too; of what is gone from the source nothing stays.
async fn again_where_they_belong(
    source: &Session,
    store: &Store<'_>,
    tables: &[RelationName],
    relations: &[Relation],
) -> Result<(), Error> {
    let rows = store.read_tables().await?;
    let mut targets: BTreeSet<RelationName> =
        rows.iter().filter(|row| tables.contains(&row.source)).map(|row| row.target.clone()).collect();
    let (again, rest): (Vec<TableRow>, Vec<TableRow>) =
        rows.iter().cloned().partition(|row| targets.contains(&row.target));
    let there: Vec<Relation> =
        relations.iter().filter(|relation| again.iter().any(|row| row.source == relation.name)).cloned().collect();
    let mapped = Mapper::read(source, store.session, &rest).await?.map(&there)?;
    let mut reassigned = Reassigned::default();
    for row in &again {
        match mapped.get(&row.source) {
            None => reassigned.gone.push(row.source.clone()),
            Some(to) if *to != row.target => reassigned.moved.push((row.source.clone(), to.clone())),
            Some(_) => {}
        }
    }
    let entered: BTreeSet<RelationName> = reassigned.moved.iter().map(|(_, to)| to.clone()).collect();
    let strange = entered.iter().filter(|to| !rows.iter().any(|row| row.target == **to));
    refuse_rows(store.session, strange.cloned()).await?;
    targets.extend(entered);
    refuse_orphaned_rows(store, &rows, &reassigned).await?;
    store.begin_again(&Vec::from_iter(targets), &reassigned).await
}

/// A table of the target that nothing of the source goes into any more would keep the rows that it has.
async fn refuse_orphaned_rows(store: &Store<'_>, rows: &[TableRow], reassigned: &Reassigned) -> Result<(), Error> {
    let leaves = |row: &TableRow| {
        reassigned.gone.contains(&row.source) || reassigned.moved.iter().any(|(source, _)| *source == row.source)
    };
    let left: BTreeSet<&RelationName> = rows.iter().filter(|row| leaves(row)).map(|row| &row.target).collect();
    for relation in read_relations(store.session).await?.iter().filter(|relation| left.contains(&relation.name)) {
        let target = &relation.name;
        if rows.iter().any(|row| row.target == *target && !leaves(row)) {
            continue;
        }
        // A partitioned table holds its rows in its partitions; children by inheritance are tables of their own.
        let only = if relation.kind == RelationKind::Partitioned { "" } else { "ONLY " };
        let sql = format!("SELECT EXISTS (SELECT FROM {only}{})", target.to_sql());
        if store.session.query_one(&sql, &[]).await?.get(0) {
            return Err(Error::refused(
                "target-holds-rows",
                format!("table {target} of the target holds rows, and no table of the source goes into it any more"),
                "empty or drop it on the target, then run the same command again",
            ));
        }
    }
    Ok(())
}

async fn wait(target: &mut Session, id: i64, tables: Vec<RelationName>, limit: Duration) -> Result<Added, Error> {
    let deadline = Instant::now() + limit;
    loop {
        let row = target.query_one("SELECT state, outcome FROM atalaya.control WHERE id = $1", &[&id]).await?;
        match FenceState::parse(row.get(0)) {
            Some(FenceState::Released) => return Ok(Added { tables, copied: true }),
            Some(FenceState::Expired) => {
                let outcome: Option<String> = row.get(1);
                return Err(Error::refused(
                    "not-added",
                    format!("the run has not added the tables: {}", outcome.unwrap_or_else(|| "it ended".to_owned())),
                    "mend that and run the same command again; see `atalaya migrate status`",
                ));
            }
            _ => {}
        }
        let woken = tokio::time::timeout_at(deadline, target.next_notification()).await;
        if !matches!(woken, Ok(Some(_))) {
            // The run goes on with it.
            return Ok(Added { tables, copied: false });
        }
    }
}
