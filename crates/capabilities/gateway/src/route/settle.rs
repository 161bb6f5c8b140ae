//! A coordinator's word that an epoch is decided. Only the journal says how.

use std::sync::Arc;

use atalaya_route::{Decision, OpenEpoch};

use super::conclude::{Ending, conclude, until_concluded};
use super::follow::take;
use super::hold::Route;
use crate::admin::{Answer, Refused, Settled, Settlement};
use crate::gateway::Gateway;

/// Opens the gates of a route as was decided; the same answer again when they are open already.
pub(crate) async fn settle(gateway: Arc<Gateway>, database: String, number: u64) -> Result<Answer, Refused> {
    let settled = tokio::spawn(async move {
        let route = gateway.route(&database)?;
        if let Some((_, settled)) = route.state().settled.as_ref().filter(|(settled, _)| *settled == number) {
            return Ok(Answer::Settled(settled.clone()));
        }
        if let Some(earlier) = route.held_epoch().filter(|held| held.epoch < number) {
            // It is decided, since another one was opened behind it.
            match conclude(&gateway, &route, &earlier, &Ending::Read).await {
                Ok(_) | Err(Refused::NoEpoch { .. }) => {}
                Err(refused) => return Err(refused),
            }
        }
        let Some(epoch) = held(&gateway, &route, number).await? else {
            return learn(&gateway, &route, number).await.map(Answer::Settled);
        };
        let concluded = conclude(&gateway, &route, &epoch, &Ending::Read).await;
        if let Err(Refused::Fenced { .. } | Refused::Journal { .. }) = &concluded {
            // Whoever asked was told; what it asked for is done as soon as it can be.
            tokio::spawn(until_concluded(gateway, route, epoch, Ending::Read));
        }
        concluded.map(Answer::Settled)
    });
    settled.await.unwrap_or(Err(Refused::Undecided { epoch: number }))
}

/// The epoch, if gates are closed for it; if not, none closes any more, once it is decided. The answer to an arming that was asked
/// for before may be on its way still, from when nothing was decided: it closes the gate before this, or not at all.
async fn held(gateway: &Gateway, route: &Route, number: u64) -> Result<Option<Arc<OpenEpoch>>, Refused> {
    if let Some(held) = route.held_epoch().filter(|held| held.epoch == number) {
        return Ok(Some(held));
    }
    let (_, decision) = gateway.journal.epoch(&route.database, number).await?;
    decision.ok_or(Refused::Undecided { epoch: number })?;
    let mut state = route.state();
    let held = state.held_epoch().filter(|held| held.epoch == number).cloned();
    if held.is_none() {
        state.note_decided(number);
    }
    Ok(held)
}

/// For an epoch that no gate is closed for here: clients are led where the journal says.
async fn learn(gateway: &Arc<Gateway>, route: &Arc<Route>, number: u64) -> Result<Settled, Refused> {
    let (epoch, decision) = gateway.journal.epoch(&route.database, number).await?;
    let decision = decision.ok_or(Refused::Undecided { epoch: number })?;
    let standing = gateway.journal.standing(&route.database).await?;
    take(gateway, route, standing, None)?;
    let from = epoch.opening.from;
    Ok(Settled {
        leads_to: route.led().map_or(from, |led| led.to),
        paused_ms: 0,
        clients_held: 0,
        clients_ended: 0,
        clients_misled: 0,
        requests_refused: 0,
        longest_wait_ms: 0,
        decision: match decision {
            Decision::Flipped { .. } => Settlement::Flipped,
            Decision::Closed { by, reason, .. } => Settlement::Closed { by, reason },
        },
    })
}
