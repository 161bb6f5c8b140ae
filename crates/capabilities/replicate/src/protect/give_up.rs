//! Giving up the slot: stored on the target where it can be told, then dropped on the source, which comes first.
//!
//! A target that cannot be reached is the likeliest reason for a slot that keeps too much, so it never keeps the slot
//! from being dropped: a slot that is gone is refused at the next start as well, only with fewer words.

use std::time::Duration;

use atalaya_data::size::bytes;
use atalaya_postgres::Session;
use tokio::time::{sleep, timeout};

use crate::progress::{GivenUp, Migration, Store};
use crate::{Error, Plan, run_lock, snapshot};

/// How long the target may take to write down why; its own lock takes up to five seconds of it.
const TELL_LIMIT: Duration = Duration::from_secs(15);
/// How often the source is asked to drop the slot before it is left to somebody else.
const DROP_TRIES: u32 = 10;
const DROP_PAUSE: Duration = Duration::from_secs(3);
/// How long one try may take.
const DROP_LIMIT: Duration = Duration::from_secs(30);

/// Drops the slot of a run that has just been ended; the answer says what became of it.
pub(crate) async fn give_up(plan: &Plan, slot: &str, why: GivenUp) -> Error {
    // Whether or not the target could be told: the next start finds no slot.
    let _told = timeout(TELL_LIMIT, tell(plan, why)).await;
    plan.options.failpoints.reach("give-up-stored");
    let mut dropped = false;
    for attempt in 0..DROP_TRIES {
        if attempt > 0 {
            sleep(DROP_PAUSE).await;
        }
        if let Ok(Ok(())) = timeout(DROP_LIMIT, drop_slot(plan, slot)).await {
            dropped = true;
            break;
        }
    }
    plan.options.failpoints.reach("slot-given-up");
    refusal(plan, slot, why, dropped)
}

async fn tell(plan: &Plan, why: GivenUp) -> Result<(), Error> {
    let target = Session::connect_for_control(&plan.target, &format!("atalaya give up {}", plan.name)).await?;
    run_lock(&target, &plan.name).await?;
    let store = Store { session: &target, name: &plan.name };
    store.merge_options(&serde_json::json!({ "given_up": why })).await
}

async fn drop_slot(plan: &Plan, slot: &str) -> Result<(), Error> {
    let source = Session::connect_for_control(&plan.source, &format!("atalaya give up {}", plan.name)).await?;
    drop_slot_on(&source, &plan.name, slot).await
}

async fn drop_slot_on(source: &Session, migration: &str, slot: &str) -> Result<(), Error> {
    snapshot::end_holders(source, migration, Some(slot)).await?;
    // A backend that waits for a table's lock does not notice that its client has gone.
    source
        .query(
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
              WHERE application_name = $1 AND datname = pg_catalog.current_database() AND usename = current_user",
            &[&format!("atalaya copy {migration}")],
        )
        .await?;
    source
        .query(
            "SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots
              WHERE slot_name = $1 AND database = pg_catalog.current_database()",
            &[&slot],
        )
        .await?;
    Ok(())
}

/// Refuses a migration whose slot was given up, and drops the slot where a kill came before that.
pub(crate) async fn refuse_given_up(plan: &Plan, source: &Session, migration: &Migration) -> Result<(), Error> {
    let Some(why) = migration.given_up else { return Ok(()) };
    drop_slot_on(source, &migration.name, &migration.slot).await?;
    Err(refusal(plan, &migration.slot, why, true))
}

fn refusal(plan: &Plan, slot: &str, why: GivenUp, dropped: bool) -> Error {
    let kept = format!(
        "replication slot `{slot}` kept {} of the source's log, more than the limit of {}",
        bytes(why.retained_bytes),
        bytes(why.limit_bytes)
    );
    if dropped {
        return Error::refused(
            "slot-given-up",
            format!("{kept}: it was given up, and the source keeps no log for it any more"),
            format!(
                "the move has to begin anew: `atalaya migrate abort` of `{}`, then start it with a higher `--wal-limit`, \
                 when less is written, or with a target that takes changes faster",
                plan.name
            ),
        );
    }
    Error::refused(
        "slot-not-dropped",
        format!("{kept}, and could not be dropped"),
        format!("drop it on the source: SELECT pg_drop_replication_slot('{slot}'); then `atalaya migrate abort`"),
    )
}
