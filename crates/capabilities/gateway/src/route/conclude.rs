//! The end of an epoch at this gateway: what was decided, the fence lifted where clients stay, the gate open.

use std::sync::Arc;
use std::time::{Duration, Instant};

use atalaya_route::{Decision, Led, OpenEpoch};

use super::fence::Fence;
use super::hold::{Hold, Route, Why};
use crate::admin::{Refused, Settled, Settlement, milliseconds};
use crate::database::{Ended, NextPlace};
use crate::gate::Held;
use crate::gateway::Gateway;

const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How a gateway comes to know what was decided.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// Somebody says that it is.
    Read,
    /// It decides itself, unless somebody else was first.
    Close { reason: String },
}

/// Tries once. Several may try at once: what they learn is the same, and the first to open does.
pub(super) async fn conclude(
    gateway: &Gateway,
    route: &Route,
    epoch: &OpenEpoch,
    ending: &Ending,
) -> Result<Settled, Refused> {
    let decision = match ending {
        Ending::Read => gateway.journal.decision(epoch).await?,
        Ending::Close { reason } => gateway.journal.close(epoch, &gateway.id, reason).await?,
    };
    match &decision {
        Decision::Closed { .. } => lift(gateway, route, epoch).await?,
        Decision::Flipped { to, .. } => admit(gateway, route, epoch, to).await?,
    }
    let settled = open(gateway, route, epoch, decision)?;
    route.tell_opened();
    gateway.cancel_keys.wake_all();
    Ok(settled)
}

/// Tries until the gates are open.
pub(super) async fn until_concluded(gateway: Arc<Gateway>, route: Arc<Route>, epoch: Arc<OpenEpoch>, ending: Ending) {
    let mut pause = PAUSE_MIN;
    while route.held_epoch().is_some_and(|held| held.epoch == epoch.epoch) {
        match conclude(&gateway, &route, &epoch, &ending).await {
            Ok(Settled { decision, leads_to, .. }) => {
                tracing::warn!(
                    database = route.database,
                    epoch = epoch.epoch,
                    decision = ?decision,
                    leads_to,
                    "the gate was opened without its coordinator's word"
                );
                return;
            }
            Err(refused) => {
                tracing::error!(
                    database = route.database,
                    epoch = epoch.epoch,
                    reason = refused.to_string(),
                    "the gate stays shut, and it is tried again"
                );
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Closes the epoch at a time, unless the gates are open before.
pub(super) fn at_the_lease_end(gateway: &Arc<Gateway>, route: &Arc<Route>, epoch: &Arc<OpenEpoch>, end: Instant) {
    let (gateway, route, epoch) = (Arc::clone(gateway), Arc::clone(route), Arc::clone(epoch));
    tokio::spawn(async move {
        tokio::select! {
            () = tokio::time::sleep_until(end.into()) => {}
            () = route.over(epoch.epoch) => return,
        }
        let reason = format!("its lease of {} ms was over", epoch.opening.lease.as_millis());
        until_concluded(gateway, route, epoch, Ending::Close { reason }).await;
    });
}

async fn lift(gateway: &Gateway, route: &Route, epoch: &OpenEpoch) -> Result<(), Refused> {
    if epoch.opening.lift.is_empty() {
        return Ok(());
    }
    let at = epoch.opening.from.clone();
    let url = gateway.place(&at).ok_or_else(|| Refused::NoPlace { to: at.clone() })?;
    let kept = route.state().hold.as_ref().and_then(|hold| Some(Arc::clone(&hold.ready.as_ref()?.fence)));
    let fence = kept.unwrap_or_else(|| Arc::new(Fence::unconnected()));
    fence.lift(&url, &epoch.opening.lift).await.map_err(|why| Refused::Fenced { at, why })
}

/// Clients may be led back to where they had been led away from.
async fn admit(gateway: &Gateway, route: &Route, epoch: &OpenEpoch, to: &str) -> Result<(), Refused> {
    let url = gateway.place(to).ok_or_else(|| Refused::NoPlace { to: to.to_owned() })?;
    let kept = route.state().hold.as_ref().and_then(|hold| Some(Arc::clone(&hold.ready.as_ref()?.there)));
    let fence = kept.unwrap_or_else(|| Arc::new(Fence::unconnected()));
    let admitted = fence.admit(&url, &route.database, epoch.epoch).await;
    admitted.map_err(|why| Refused::Fenced { at: to.to_owned(), why })
}

fn open(gateway: &Gateway, route: &Route, epoch: &OpenEpoch, decision: Decision) -> Result<Settled, Refused> {
    let place = match &decision {
        Decision::Flipped { to, .. } => {
            let url = gateway.place(to).ok_or_else(|| Refused::NoPlace { to: to.clone() })?;
            Some((to.clone(), url))
        }
        Decision::Closed { .. } => None,
    };
    let mut state = route.state();
    let for_this = |hold: &mut Hold| matches!(&hold.why, Why::Epoch(held) if held.epoch == epoch.epoch);
    let Some(hold) = state.hold.take_if(for_this) else {
        // Somebody else was first.
        let settled = state.settled.as_ref().filter(|(number, _)| *number == epoch.epoch);
        return settled.map(|(_, settled)| settled.clone()).ok_or(Refused::NoEpoch { epoch: epoch.epoch });
    };
    state.note_decided(epoch.epoch);
    let mut ready = hold.ready;
    let (mut total, mut clients_ended, mut clients_misled, mut requests_refused) = (Held::default(), 0, 0, 0);
    for held in hold.gates {
        let next = ready.as_mut().and_then(|ready| ready.places.remove(&held.database.name));
        let lead = || match &place {
            Some((to, url)) => held.database.lead_by_route(to, url, next.unwrap_or_else(NextPlace::unknown)),
            None => Ended { lost: held.database.kept.tied().lost, ..Ended::default() },
        };
        // None: it is served no more.
        let Some((ended, waited)) = held.database.gate.open_after(held.closed, lead) else { continue };
        clients_ended += ended.tied + ended.lost.saturating_sub(held.lost_before);
        clients_misled += ended.misled;
        requests_refused += held.database.statistics.refused_for_waiting.get().saturating_sub(held.refused_before);
        total = total.and(waited);
    }
    let settled = Settled {
        leads_to: place.map_or_else(|| epoch.opening.from.clone(), |(to, _)| to),
        paused_ms: milliseconds(hold.since.elapsed()),
        clients_held: total.clients,
        clients_ended,
        clients_misled,
        requests_refused,
        longest_wait_ms: milliseconds(total.longest),
        decision: match decision {
            Decision::Flipped { to, epoch } => {
                state.lead(Led { to, epoch });
                Settlement::Flipped
            }
            Decision::Closed { by, reason, .. } => Settlement::Closed { by, reason },
        },
    };
    state.settled = Some((epoch.epoch, settled.clone()));
    Ok(settled)
}
