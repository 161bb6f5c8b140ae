//! What the journal says of a route when the gateway starts: no database is served before it is known.

use std::sync::Arc;
use std::time::{Duration, Instant};

use atalaya_route::{OpenEpoch, Standing};

use super::conclude::at_the_lease_end;
use super::hold::{Hold, Route, Why};
use crate::admin::Refused;
use crate::database::NextPlace;
use crate::gateway::Gateway;

const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Reads every route that is not known yet.
pub(crate) fn follow_all(gateway: &Arc<Gateway>) {
    for route in gateway.routes().into_iter().filter(|route| route.is_unread()) {
        tokio::spawn(follow(Arc::clone(gateway), route));
    }
}

async fn follow(gateway: Arc<Gateway>, route: Arc<Route>) {
    let mut pause = PAUSE_MIN;
    // One that no database follows any more is nobody's to wait for.
    while route.is_unread() && gateway.route(&route.database).is_ok_and(|known| Arc::ptr_eq(&known, &route)) {
        match read(&gateway, &route).await {
            Ok(()) if !route.is_unread() => return,
            Ok(()) => tracing::warn!(
                database = route.database,
                "what the journal says of where clients are led is older than what is known; it is asked again"
            ),
            Err(refused) => tracing::error!(
                database = route.database,
                reason = refused.to_string(),
                "clients are not served, since it is not known where they are led; it is tried again"
            ),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

async fn read(gateway: &Arc<Gateway>, route: &Arc<Route>) -> Result<(), Refused> {
    let standing = gateway.journal.standing(&route.database).await?;
    let Some(epoch) = standing.open.clone().map(Arc::new) else { return take(gateway, route, standing, None) };
    // The lease began when the epoch was opened; a gateway that was armed and killed does not begin it anew.
    let end = Instant::now() + gateway.journal.lease_left(&epoch).await?;
    tracing::warn!(
        database = route.database,
        epoch = epoch.epoch,
        migration = epoch.opening.migration,
        "the gate is shut until the epoch is decided, or its lease is over"
    );
    take(gateway, route, standing, Some((epoch, end)))
}

/// Leads clients where the journal says, and opens their gates unless an epoch is open; where it is known how long its lease
/// lasts, they are held for it from here on. What is held for an epoch already is left to those who decide it, and an older
/// answer counts for nothing.
pub(super) fn take(
    gateway: &Arc<Gateway>,
    route: &Arc<Route>,
    standing: Standing,
    held_until: Option<(Arc<OpenEpoch>, Instant)>,
) -> Result<(), Refused> {
    let place = standing.leads_to.as_ref().map(|led| {
        let url = gateway.place(&led.to).map(|url| (led.to.clone(), url));
        url.ok_or_else(|| Refused::NoPlace { to: led.to.clone() })
    });
    let place = place.transpose()?;
    gateway.with_databases_of(&route.database, |databases| {
        let mut state = route.state();
        if matches!(&state.hold, Some(Hold { why: Why::Epoch(_), .. })) || !state.note(&standing) {
            return Ok(());
        }
        if let Some((to, url)) = &place {
            for database in databases.iter().filter(|database| database.to() != *to) {
                database.lead_by_route(to, url, NextPlace::unknown());
            }
        }
        match (held_until, &mut state.hold) {
            (Some((epoch, end)), Some(hold)) => {
                hold.why = Why::Epoch(Arc::clone(&epoch));
                at_the_lease_end(gateway, route, &epoch, end);
            }
            // Serving, and not counted on; or about to be read by who holds it.
            _ if standing.open.is_some() => {}
            (_, hold) => {
                for held in hold.take().map(|hold| hold.gates).unwrap_or_default() {
                    held.database.gate.open(held.closed);
                }
            }
        }
        Ok(())
    })?;
    route.tell_opened();
    gateway.cancel_keys.wake_all();
    Ok(())
}
