//! Closing the gate for an epoch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use atalaya_route::{LEASE_MAX, OpenEpoch};

use super::conclude::{Ending, at_the_lease_end, conclude, until_concluded};
use super::hold::{Hold, Route, Why};
use crate::admin::{Answer, Refused, milliseconds};
use crate::database::Database;
use crate::gateway::Gateway;

/// Closes the gates of a route and waits until nothing runs. Goes on when nobody waits for the answer any more: the lease
/// ends what it began.
pub(crate) async fn arm(
    gateway: Arc<Gateway>,
    database: String,
    number: u64,
    drain: Duration,
) -> Result<Answer, Refused> {
    let armed = tokio::spawn(async move {
        let (asked, route) = (Instant::now(), gateway.route(&database)?);
        let epoch = looked_up(&gateway, &route, number).await?;
        let (began, lease) = (Instant::now(), epoch.opening.lease.min(LEASE_MAX));
        // Whoever asked has given up by now: clients would be held for nothing.
        if began.duration_since(asked) >= lease {
            return Err(Refused::Late { epoch: number, waited_ms: milliseconds(began.duration_since(asked)) });
        }
        let databases = close(&gateway, &route, &epoch)?;
        at_the_lease_end(&gateway, &route, &epoch, asked + lease);
        let drained = end_as_they_drain(&databases);
        // Whoever asked counts from when it asked, too.
        let has_drained = tokio::select! {
            biased;
            () = drained => true,
            () = tokio::time::sleep_until((asked + drain.min(lease)).into()) => false,
            () = route.over(number) => false,
        };
        // Counted before the gates open and more run.
        let running: usize = databases.iter().map(|database| database.gate.running()).sum();
        if route.held_epoch().is_none_or(|held| held.epoch != number) {
            return Err(Refused::Decided { epoch: number });
        }
        let waited_ms = milliseconds(began.elapsed());
        if has_drained {
            return Ok(Answer::Armed { drained_ms: waited_ms });
        }
        // An epoch that a gate did not hold for must never flip.
        let ending = Ending::Close { reason: format!("after {waited_ms} ms {running} transactions still ran") };
        if conclude(&gateway, &route, &epoch, &ending).await.is_err() {
            tokio::spawn(until_concluded(gateway, route, epoch, ending));
        }
        Err(Refused::NotDrained { running, waited_ms })
    });
    armed.await.unwrap_or(Err(Refused::Undecided { epoch: number }))
}

/// A fence waits until the last session of the server that is left is gone: the gateway ends its own, each when the transaction
/// that had it is over, so that most have gone by the time the last one is.
async fn end_as_they_drain(databases: &[Arc<Database>]) {
    end_unused(databases);
    for database in databases {
        database.gate.drained().await;
    }
    // Some were given back while the gates closed.
    end_unused(databases);
}

fn end_unused(databases: &[Arc<Database>]) {
    databases.iter().flat_map(|database| database.pools()).for_each(|pool| pool.let_go(Duration::ZERO));
}

/// The epoch, if this gateway is counted on and it is not too late.
async fn looked_up(gateway: &Gateway, route: &Route, number: u64) -> Result<Arc<OpenEpoch>, Refused> {
    let (epoch, decision) = gateway.journal.epoch(&route.database, number).await?;
    if decision.is_some() {
        return Err(Refused::Decided { epoch: number });
    }
    if !epoch.opening.gates.contains(&gateway.id) {
        return Err(Refused::NotNamed { gate: gateway.id.clone() });
    }
    Ok(Arc::new(epoch))
}

fn close(gateway: &Gateway, route: &Route, epoch: &Arc<OpenEpoch>) -> Result<Vec<Arc<Database>>, Refused> {
    // Kept until the gates are closed: a reload changes nothing meanwhile.
    gateway.with_databases_of(&route.database, |databases| {
        let mut state = route.state();
        match &state.hold {
            // Asked again.
            Some(Hold { why: Why::Epoch(held), .. }) if held.epoch == epoch.epoch => return Ok(databases.to_vec()),
            Some(_) => return Err(Refused::Held { database: route.database.clone() }),
            None => {}
        }
        if state.is_decided(epoch.epoch) {
            return Err(Refused::Decided { epoch: epoch.epoch });
        }
        let (from, to) = (&epoch.opening.from, &epoch.opening.to);
        if let Some(elsewhere) = databases.iter().map(|database| database.to()).find(|place| place != from) {
            return Err(Refused::Elsewhere { leads_to: elsewhere });
        }
        if state.ready.as_ref().is_none_or(|ready| ready.from != *from || ready.to != *to) {
            return Err(Refused::NotReady { to: to.clone() });
        }
        state.hold(epoch, databases)?;
        Ok(databases.to_vec())
    })
}
