//! The target made ready for clients: with the foreign keys, triggers and row security that the source has.
//!
//! `finish` does it when nothing is followed any more. Before clients are led over it is done while changes are still
//! applied, which what has come then must not act on.

use std::collections::BTreeSet;

use atalaya_data::RelationName;
use atalaya_postgres::Session;

use crate::follow::may_be_replica;
use crate::progress::{Migration, Phase, Store};
use crate::run::{Connected, open_addition, open_archive};
use crate::schema::{self, Addition, Builders, ForeignKeyRestore};
use crate::silence::{Writers, whatever_is_off, would_act};
use crate::snapshot::Reading;
use crate::{Error, Plan, run_lock};

/// Restores on the target what had to wait, while changes are followed: foreign keys, triggers, rules, row security. Can be repeated, and may be called while a run follows; that one has to be caught up,
/// since rows of tables that were copied at different times refer to each other only then.
///
/// # Errors
/// Refuses by name where what it restores would act on changes that are applied, or where triggers of tables that the
/// target had already are off for the time of the move.
pub async fn ready_target(plan: &Plan) -> Result<(), Error> {
    let name = format!("atalaya ready {}", plan.name);
    let (source, target) = futures_util::future::try_join(
        Session::connect_for_control(&plan.source, &name),
        Session::connect_for_control(&plan.target, &name),
    )
    .await?;
    // Not the run's lock: it goes on.
    run_lock(&target, &format!("{} ready", plan.name)).await?;
    let connected = Connected::of(source, target);
    let store = Store { session: &connected.target, name: &plan.name };
    let Some(migration) = store.read().await?.filter(|migration| migration.phase == Phase::Stream) else {
        return Err(Error::refused(
            "copy-unfinished",
            "the copy is not complete, or the move is at its end",
            "run `atalaya migrate start` first",
        ));
    };
    refuse_woken(&connected, &store, &migration).await?;
    restore(plan, &connected, &store, &migration).await
}

/// Why [`ready_target`] would refuse; none where it would not, or nothing is followed yet. Touches nothing.
///
/// # Errors
/// When a server does not answer.
pub async fn unready(plan: &Plan) -> Result<Option<String>, Error> {
    let name = format!("atalaya ready {}", plan.name);
    let (source, target) = futures_util::future::try_join(
        Session::connect_for_control(&plan.source, &name),
        Session::connect_for_control(&plan.target, &name),
    )
    .await?;
    let connected = Connected::of(source, target);
    let store = Store { session: &connected.target, name: &plan.name };
    let Some(migration) = store.read().await?.filter(|migration| migration.phase == Phase::Stream) else {
        return Ok(None);
    };
    match refuse_woken(&connected, &store, &migration).await {
        Ok(()) => Ok(None),
        Err(Error::Refused { seen, .. }) => Ok(Some(seen)),
        Err(error) => Err(error),
    }
}

async fn refuse_woken(connected: &Connected, store: &Store<'_>, migration: &Migration) -> Result<(), Error> {
    if let Some(off) = whatever_is_off(store).await? {
        return Err(Error::refused(
            "triggers-off",
            format!(
                "triggers or rules of the target's own tables are off for the time of the move, since they would act on \
                 changes that are applied: {off}"
            ),
            "clients would miss them: make them ENABLE instead of ENABLE ALWAYS or REPLICA, or let the role set \
             session_replication_role, then move again",
        ));
    }
    if migration.schema.existing {
        return Ok(());
    }
    let writers = Writers::of(may_be_replica(&connected.target).await?);
    let tables: Vec<RelationName> = store.read_tables().await?.into_iter().map(|table| table.source).collect();
    let Some(acting) = would_act(&connected.source, &tables, writers).await? else { return Ok(()) };
    let seen =
        format!("what the source's tables have would act on changes that are still applied to the target: {acting}");
    let hint = match writers {
        Writers::Origin => {
            "GRANT SET ON PARAMETER session_replication_role to the role on the target (from 15 on) and start the run anew, or \
             move as a superuser"
        }
        Writers::Replica => "make it ENABLE on the source, and make a dump of the schema anew by moving again",
    };
    Err(Error::refused("triggers-would-fire", seen, hint))
}

/// Restores it; what is there already stays.
pub(crate) async fn restore(
    plan: &Plan,
    connected: &Connected,
    store: &Store<'_>,
    migration: &Migration,
) -> Result<(), Error> {
    if !migration.schema.existing {
        let reading = Reading::source(plan, &connected.source);
        let archive = open_archive(plan, connected, &reading, migration).await?;
        let additions: BTreeSet<String> =
            store.read_tables().await?.into_iter().filter_map(|table| table.added).collect();
        let options = &plan.options;
        let builders = Builders::new(&plan.target, &plan.name, &options.maintenance_work_mem);
        let keys = ForeignKeyRestore { archive: &archive, store, builders: &builders, options, prefix: "" };
        schema::restore_foreign_keys(&keys).await?;
        options.failpoints.reach("foreign-keys-restored");
        schema::restore_rest(&archive, &connected.source, store).await?;
        for name in &additions {
            let archive = &open_addition(plan, connected, &reading, migration, store, name).await?;
            Addition { name, archive }.restore_rest(&connected.source, store, &builders, options).await?;
        }
    }
    plan.options.failpoints.reach("schema-completed");
    Ok(())
}
