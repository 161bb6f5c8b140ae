//! Removing the way back: from the new server, then from the old one.

use std::time::Duration;

use atalaya_control::REPLICATOR_CHANNEL;
use atalaya_postgres::{Session, control};
use tokio::time::{Instant, sleep};

use super::pair::{BackOf, Known, refuse_led_over};
use super::publish::unpublish_marker;
use crate::abort::{AbortReport, clean_source, forget};
use crate::progress::Store;
use crate::{Error, Failpoints, Plan, is_running, run_lock};

/// How long a run may take to leave the way back.
const LEAVE_LIMIT: Duration = Duration::from_secs(20);
const LEAVE_PAUSE: Duration = Duration::from_millis(200);

/// Removes the way back from both servers; the move itself goes on. Can be repeated.
///
/// # Errors
/// Refuses by name where clients are on the new server: what they write would be nowhere else any more. When a server
/// cannot be reached, or a run does not leave the way back.
pub async fn remove_way_back(plan: &Plan) -> Result<(), Error> {
    let name = format!("atalaya way back {}", plan.name);
    let old = Session::connect_for_control(&plan.source, &name).await?;
    let new = Session::connect_for_control(&plan.target, &name).await?;
    let remedy = "lead them back first: `atalaya migrate rollback`, or end the move: `atalaya migrate finish`";
    refuse_led_over(&Store { session: &new, name: &plan.name }, "the way back is all that leads them back", remedy)
        .await?;
    remove_between(&old, &new, &plan.name, &plan.options.failpoints, &mut AbortReport::default()).await
}

/// The same between two sessions, for whoever has made sure that no run follows to a server that clients are on. What was removed from the new server is added to the report.
pub(crate) async fn remove_between(
    old: &Session,
    new: &Session,
    migration: &str,
    failpoints: &Failpoints,
    report: &mut AbortReport,
) -> Result<(), Error> {
    let (there, back_there) = (Store { session: new, name: migration }, Store { session: old, name: migration });
    let forward = there.read().await?;
    let known = match forward {
        Some(_) => Known::read(&there).await?,
        None => None,
    };
    let stands = control::is_installed(old).await? && BackOf::read(&back_there).await?.is_some();
    if known.is_none() && !stands {
        return Ok(());
    }
    let mut slots: Vec<String> = known.into_iter().map(|known| known.slot).collect();
    if stands && let Some(back) = back_there.read().await? {
        slots.push(back.slot);
    }
    slots.sort();
    slots.dedup();
    // A run that sees this leaves the way back by itself, and no start takes it up again.
    Known::forget(&there).await?;
    new.query("SELECT pg_catalog.pg_notify($1, $2)", &[&REPLICATOR_CHANNEL, &migration]).await?;
    take_lock(old, migration).await?;
    failpoints.reach("way-back-left");
    clean_source(new, migration, &slots, failpoints, report).await?;
    failpoints.reach("way-back-slot-dropped");
    if let Some(forward) = &forward {
        unpublish_marker(old, forward).await?;
    }
    if stands {
        forget(old, migration).await?;
    }
    failpoints.reach("way-back-forgotten");
    Ok(())
}

/// Takes the way back's lock, once a run has left it, as it does by itself when it is said to be made no longer.
pub(super) async fn take_lock(old: &Session, migration: &str) -> Result<(), Error> {
    let deadline = Instant::now() + LEAVE_LIMIT;
    while is_running(old, migration).await? && Instant::now() < deadline {
        sleep(LEAVE_PAUSE).await;
    }
    run_lock(old, migration).await
}

/// Drops what stands of a way back of that name, before it is made anew; `slot` is one that may stand on the new server.
pub(super) async fn drop_back(old: &Session, new: &Session, migration: &str, slot: Option<&str>) -> Result<(), Error> {
    let store = Store { session: old, name: migration };
    let mut slots: Vec<String> = slot.into_iter().map(str::to_owned).collect();
    if BackOf::read(&store).await?.is_some()
        && let Some(back) = store.read().await?
    {
        slots.push(back.slot);
    }
    clean_source(new, migration, &slots, &Failpoints::none(), &mut AbortReport::default()).await?;
    if store.read().await?.is_some() {
        old.execute("DELETE FROM atalaya.migration WHERE name = $1", &[&migration]).await?;
    }
    Ok(())
}

/// Where the new server is gone: what the old one has of the way back.
pub(crate) async fn forget_without_target(old: &Session, migration: &str) -> Result<(), Error> {
    let store = Store { session: old, name: migration };
    if control::is_installed(old).await? && BackOf::read(&store).await?.is_some() {
        forget(old, migration).await?;
    }
    Ok(())
}
