//! `start`: from nothing, or from wherever an earlier run ended, to following the source.

mod added;
mod connect;
mod copy_phase;
mod create;
mod given_up;
mod mapping;
mod pulse;

use std::time::Duration;

use atalaya_postgres::control;

use crate::conflict::settle_policies;
use crate::control::Requests;
use crate::ddl::trigger::{self, TriggerState};
use crate::follow::{Ended, Follower, Opened, may_be_replica};
use crate::progress::{Migration, Phase, Store};
use crate::protect::{self, SlotName, TooMuch};
use crate::report::{Event, Observer};
use crate::silence::{self, ForeignKeys};
use crate::spool::{self, Begun};
use crate::{DdlTrigger, Direction, Error, LargeObjects, Plan, large_objects, way_back};

pub(crate) use added::{alter as alter_publication, forget_unpublished, open_addition};
pub(crate) use connect::{Connected, is_running, lock as run_lock};
pub(crate) use copy_phase::open_archive;
pub(crate) use create::{chosen_tables, drop_leftovers, publish, refuse_rows, refuse_unidentified};
pub(crate) use mapping::Mapper;

/// How a run ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything up to the goal is applied, and the run was asked to end there.
    CaughtUp,
    /// Somebody asked it to stop; the slot is kept.
    Stopped,
}

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Runs a migration until it is caught up, told to stop, or cannot go on.
///
/// Lost connections, deadlocks and the like begin it again from what the target has stored; so does the same
/// call after kill -9.
///
/// # Errors
/// Refusals, conflicts, and what another try has not mended.
pub async fn start(plan: &Plan, observer: &dyn Observer) -> Result<Outcome, Error> {
    tokio::select! {
        ended = run_alone(plan, observer) => ended,
        never = way_back::run_beside(plan, observer) => match never {},
    }
}

/// The same without a way back beside it.
pub(crate) async fn run_alone(plan: &Plan, observer: &dyn Observer) -> Result<Outcome, Error> {
    let slot = SlotName::default();
    // The source's log is watched between two tries, too: a target that cannot be reached makes it grow.
    let (slot, too_much) = tokio::select! {
        ended = try_again(plan, observer, &slot) => return ended,
        too_much = protect::watch(plan, &slot, observer) => too_much,
    };
    Err(match too_much {
        TooMuch::Limit(why) => protect::give_up(plan, &slot, why).await,
        TooMuch::Lost(error) => error,
    })
}

async fn try_again(plan: &Plan, observer: &dyn Observer, slot: &SlotName) -> Result<Outcome, Error> {
    let mut attempt = 0;
    let mut pause = FIRST_PAUSE;
    let mut reached = None;
    let mut seen = Seen::default();
    loop {
        let ended = tokio::select! {
            ended = run_once(plan, observer, slot, &mut seen) => ended,
            silent = pulse::watch(plan) => Err(silent),
        };
        let error = match ended {
            Ok(outcome) => return Ok(outcome),
            // A host that has never been found is a mistake in the URL rather than a failing resolver.
            Err(error) if error.is_transient() && (seen.connected || !error.is_unknown_host()) => error,
            // The lock may be this very run's: a server that lost us without a word keeps its session for a while.
            Err(error) if attempt > 0 && error.is_lock() => error,
            Err(error) => return Err(error),
        };
        // Only tries without progress between them count.
        let now = connect::progress_mark(plan).await;
        if now.is_some() && now != reached {
            reached = now;
            attempt = 0;
            pause = FIRST_PAUSE;
        }
        attempt += 1;
        if attempt > plan.options.reconnects {
            return Err(error);
        }
        observer.observe(&Event::Reconnect { attempt, reason: atalaya_data::chain(&error) });
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// What the tries of one run have come to.
#[derive(Default)]
struct Seen {
    connected: bool,
    /// The event trigger is made once: who disables it while the run goes on means it.
    trigger: bool,
}

async fn run_once(plan: &Plan, observer: &dyn Observer, slot: &SlotName, seen: &mut Seen) -> Result<Outcome, Error> {
    let connected = Connected::open(plan).await?;
    let store = Store { session: &connected.target, name: &plan.name };
    let begins = !std::mem::replace(&mut seen.connected, true);
    let (mut migration, chosen) = match store.read().await? {
        Some(migration) => {
            // An earlier version may have begun it, without the tables that came since.
            control::install_schema(&connected.target).await?;
            if begins {
                Requests::expire_all(&connected.target, &plan.name).await?;
            }
            (migration, None)
        }
        None if plan.options.direction == Direction::Back => {
            return Err(Error::refused(
                "way-back-missing",
                "the way back's row is gone from the old server",
                "make it again while clients are on the old server: `atalaya migrate way-back make`",
            ));
        }
        None => {
            let created = create::create(plan, &connected, &store).await?;
            (created.migration, Some(created.tables))
        }
    };
    if plan.options.direction == Direction::Forward {
        way_back::refuse_taken_name(&store).await?;
    }
    if migration.phase == Phase::Finished {
        return Err(Error::refused(
            "finished",
            format!("migration `{}` is finished, except for the removal of what is ours", plan.name),
            "run `atalaya migrate finish` again",
        ));
    }
    protect::refuse_given_up(plan, &connected.source, &migration).await?;
    if chosen.is_none() {
        store.merge_options(&serde_json::json!({ "wal_limit_bytes": plan.options.wal_limit })).await?;
    }
    slot.send_replace(Some(migration.slot.clone()));
    if plan.options.ddl_trigger == DdlTrigger::Made && !seen.trigger {
        make_trigger(plan, &connected, &store, &mut migration).await?;
        seen.trigger = true;
    }
    if migration.phase == Phase::Created {
        observer.observe(&Event::Phase { phase: "prepare" });
        create::open_slot(plan, &connected, &store, &mut migration, chosen, observer).await?;
    }
    loop {
        let turn = Turn { plan, connected: &connected, store: &store, observer };
        match turn.run(&mut migration).await? {
            Ended::CaughtUp => return Ok(Outcome::CaughtUp),
            Ended::Stopped => return Ok(Outcome::Stopped),
            Ended::TablesPending => {}
        }
    }
}

/// Makes the event trigger before the slot: what is committed after the slot's position is told. It is written down first,
/// so that whoever cleans up knows of it.
async fn make_trigger(
    plan: &Plan,
    connected: &Connected,
    store: &Store<'_>,
    migration: &mut Migration,
) -> Result<(), Error> {
    let whole = trigger::look(&connected.source, &migration.slot).await? == TriggerState::Whole;
    if !whole {
        trigger::try_out(&connected.source, &migration.slot, &plan.name).await?;
    }
    store.merge_options(&serde_json::json!({ "ddl_trigger": true })).await?;
    migration.ddl_trigger = true;
    plan.options.failpoints.reach("trigger-noted");
    if !whole {
        trigger::install(&connected.source, &migration.slot, &plan.name).await?;
    }
    plan.options.failpoints.reach("trigger-made");
    Ok(())
}

/// What is copied, then followed; once more after tables were added.
struct Turn<'a> {
    plan: &'a Plan,
    connected: &'a Connected,
    store: &'a Store<'a>,
    observer: &'a dyn Observer,
}

impl Turn<'_> {
    async fn run(&self, migration: &mut Migration) -> Result<Ended, Error> {
        let Self { plan, connected, store, observer } = *self;
        settle_policies(plan, &connected.source, store).await?;
        let Begun { mut receiver, notes } = spool::begin(plan, connected, store, migration, observer).await?;
        let following = async {
            let failing = async {
                match &mut receiver {
                    Some(receiver) => receiver.failed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                brought = bring_everything(plan, connected, store, migration, observer) => brought?,
                failed = failing => return Err(failed),
            }
            observer.observe(&Event::Phase { phase: "stream" });
            match plan.options.direction {
                Direction::Forward => {
                    silence::switch_off(store, ForeignKeys::of(migration.schema), observer).await?;
                }
                Direction::Back => {
                    let writers = silence::Writers::of(may_be_replica(store.session).await?);
                    silence::refuse_on_way_back(store, writers).await?;
                }
            }
            let (source, target) = (&connected.source, &connected.target);
            let opened = Opened { plan, migration, source, target, observer };
            Follower::open(opened, receiver).await?.run().await
        };
        match notes {
            None => following.await,
            Some(mut notes) => tokio::select! {
                ended = following => ended,
                never = notes.pass_on(observer) => never,
            },
        }
    }
}

/// Rows, and large objects where they are part of the move; each only where it is not done.
async fn bring_everything(
    plan: &Plan,
    connected: &Connected,
    store: &Store<'_>,
    migration: &mut Migration,
    observer: &dyn Observer,
) -> Result<(), Error> {
    if migration.phase == Phase::Copy {
        copy_phase::copy(plan, connected, store, migration, observer).await?;
    }
    added::copy_pending(plan, connected, store, migration, observer).await?;
    if plan.options.large_objects == LargeObjects::Copied && !large_objects::are_there(store).await? {
        large_objects::bring(plan, &connected.source, store, migration.schema.no_owner, observer).await?;
    }
    Ok(())
}
