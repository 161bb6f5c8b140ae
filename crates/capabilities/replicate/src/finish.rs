//! `finish`, in three steps: the last fence with sequences; once somebody has proven both sides equal, the
//! rest of the schema; the removal of everything of ours.

use atalaya_postgres::Session;

use crate::abort::{AbortReport, clean_source, forget};
use crate::ddl::{Places, misplaced, refuse_misplaced, refuse_unmoved, refuse_unseen, unseen};
use crate::progress::{Migration, Phase, Store, TableRow};
use crate::report::Observer;
use crate::run::Connected;
use crate::{
    Error, LargeObjects, OperationLock, Plan, Side, large_objects, ready, run_lock, sequences, silence, views, way_back,
};

/// Refuses what the last fence would refuse, before a run that follows is ended for it.
///
/// # Errors
/// When tables would be left behind, or stand elsewhere in their trees.
pub async fn may_finish(plan: &Plan) -> Result<(), Error> {
    let name = format!("atalaya finish {}", plan.name);
    let source = Session::connect_for_control(&plan.source, &name).await?;
    let target = Session::connect_for_control(&plan.target, &name).await?;
    let store = Store { session: &target, name: &plan.name };
    match store.read().await? {
        Some(migration) if migration.phase == Phase::Stream => {
            refuse_unmoved(plan, &source, &store).await?;
            match migration.schema.existing {
                true => refuse_differing_trees(&source, &target, &store, &migration).await,
                // The last run may follow them.
                false => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Trees that differ, in a way that the last run could not follow.
async fn refuse_differing_trees(
    source: &Session,
    target: &Session,
    store: &Store<'_>,
    migration: &Migration,
) -> Result<(), Error> {
    let tables = store.read_tables().await?;
    let (source, target) = (Places::read(source).await?, Places::read(target).await?);
    if !migration.schema.existing {
        let oid = |table: &TableRow| table.definition.as_ref().map(|definition| definition.oid);
        let moved = tables.iter().map(|table| (table.source.clone(), oid(table)));
        refuse_misplaced(&misplaced(&source, &target, moved))?;
    }
    refuse_unseen(&unseen(&source, &target, tables.iter().map(|table| (&table.source, &table.target))))
}

/// Sets the sequences a last time. The replicator has stopped, with everything applied.
///
/// # Errors
/// When the migration runs still, or never came to follow the source.
pub async fn last_fence(plan: &Plan, observer: &dyn Observer) -> Result<(), Error> {
    let connected = Connected::open(plan).await?;
    let store = Store { session: &connected.target, name: &plan.name };
    let Some(migration) = store.read().await? else {
        return Err(Error::refused(
            "unknown-migration",
            format!("there is no migration `{}`", plan.name),
            "see `atalaya migrate status`",
        ));
    };
    if migration.phase != Phase::Stream {
        return Err(Error::refused(
            "copy-unfinished",
            "the copy is not complete",
            "run `atalaya migrate start --stop-when caught-up` first",
        ));
    }
    refuse_unmoved(plan, &connected.source, &store).await?;
    refuse_differing_trees(&connected.source, &connected.target, &store, &migration).await?;
    if plan.options.large_objects == LargeObjects::Copied {
        large_objects::bring(plan, &connected.source, &store, migration.schema.no_owner, observer).await?;
    }
    large_objects::refuse_different(&connected.source, &store).await?;
    // Where clients have been led over, the target's sequences are the ones that they draw from.
    if way_back::serving(&store).await? == Side::Source {
        sequences::set(plan, &connected.source, &connected.target).await?;
    }
    Ok(())
}

/// Restores what had to wait: foreign keys that were left out, triggers, row security, materialized views.
/// It comes after the proof, so that a move that is not proven can go on following the source.
///
/// # Errors
/// When a server refuses a part of the schema; it can be repeated.
pub async fn complete_schema(plan: &Plan) -> Result<(), Error> {
    let connected = Connected::open(plan).await?;
    let store = Store { session: &connected.target, name: &plan.name };
    let Some(migration) = store.read().await? else { return Ok(()) };
    ready::restore(plan, &connected, &store, &migration).await?;
    if migration.schema.existing { Ok(()) } else { views::fill_at_the_end(&connected.source, &store).await }
}

/// Sets back triggers and rules of the target that were off for the time of the move, when nothing is applied any more.
/// What could not be set back, since somebody else has changed it, is returned for people.
///
/// # Errors
/// When the migration is running, or a table is in use for too long; it can be repeated.
pub async fn set_back_triggers(plan: &Plan) -> Result<Vec<String>, Error> {
    let target = Session::connect_for_control(&plan.target, &format!("atalaya finish {}", plan.name)).await?;
    run_lock(&target, &plan.name).await?;
    let told = silence::set_back(&Store { session: &target, name: &plan.name }).await?.told;
    plan.options.failpoints.reach("triggers-set-back");
    Ok(told)
}

/// The point of no return: nothing is followed any more, and only what is ours is left to be removed. Done by the session that
/// keeps others from leading clients elsewhere meanwhile.
///
/// # Errors
/// When the migration is running, large objects are not the same on both sides, or that session is lost.
pub async fn end_following(plan: &Plan, alone: &OperationLock) -> Result<(), Error> {
    let name = format!("atalaya finish {}", plan.name);
    let (source, target) = futures_util::future::try_join(
        Session::connect_for_control(&plan.source, &name),
        Session::connect_for_control(&plan.target, &name),
    )
    .await?;
    run_lock(&target, &plan.name).await?;
    let store = Store { session: &target, name: &plan.name };
    // Where clients have been led over, they have written large objects of their own.
    if way_back::serving(&store).await? == Side::Source {
        large_objects::refuse_different(&source, &store).await?;
    }
    alone.stands().await?;
    Store { session: alone.session(), name: &plan.name }.enter_finished().await?;
    plan.options.failpoints.reach("finish-stored");
    Ok(())
}

/// Whether the source has a slot of this name.
///
/// # Errors
/// The source's.
pub async fn has_slot(plan: &Plan, slot: &str) -> Result<bool, Error> {
    let source = Session::connect_for_control(&plan.source, &format!("atalaya finish {}", plan.name)).await?;
    let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $1)";
    Ok(source.query_one(sql, &[&slot]).await?.get(0))
}

/// Removes slot, publications and our schema, once following has ended.
///
/// # Errors
/// When the migration is running, or follows still.
pub async fn clean_up(plan: &Plan) -> Result<AbortReport, Error> {
    let name = format!("atalaya finish {}", plan.name);
    let target = Session::connect_for_control(&plan.target, &name).await?;
    let source = Session::connect_for_control(&plan.source, &name).await?;
    run_lock(&target, &plan.name).await?;
    let store = Store { session: &target, name: &plan.name };
    let migration = store.read().await?;
    let mut report = AbortReport::default();
    if let Some(Migration { slot, phase, .. }) = migration {
        if phase != Phase::Finished {
            return Err(Error::refused(
                "still-followed",
                format!("migration `{}` is not proven", plan.name),
                "run `atalaya migrate finish`",
            ));
        }
        report.take(silence::set_back(&store).await?);
        way_back::remove_between(&source, &target, &plan.name, &plan.options.failpoints, &mut report).await?;
        clean_source(&source, &plan.name, std::slice::from_ref(&slot), &plan.options.failpoints, &mut report).await?;
        plan.options.failpoints.reach("source-cleaned");
        crate::spool::discard(&plan.options.work_folder, &slot)?;
    }
    if atalaya_postgres::control::is_installed(&target).await? {
        forget(&target, &plan.name).await?;
        plan.options.failpoints.reach("target-forgotten");
    }
    report.schema_removed = !atalaya_postgres::control::is_installed(&target).await?;
    Ok(report)
}
