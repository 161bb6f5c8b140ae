//! Everything that can be done before a gate closes, so that it need not be done behind it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use atalaya_estate::ConnectionUrl;
use futures_util::StreamExt;
use tokio::time::timeout;

use super::fence::{self, Fence, Identity};
use super::hold::{Ready, Route};
use crate::admin::{Answer, Readiness, Refused};
use crate::database::{Database, NextPlace};
use crate::gateway::Gateway;
use crate::pool::{OpenServers, UserTypes};
use crate::server::connect;

/// All of it takes no longer.
const LIMIT: Duration = Duration::from_secs(20);
/// How long a gateway that has just begun may take to read its route.
const READING: Duration = Duration::from_secs(5);
/// A server that nobody has needed for so long is one too many, how often that is looked at, and for how long.
const UNNEEDED: Duration = Duration::from_millis(200);
const LOOK: Duration = Duration::from_millis(50);
const LOOKING: Duration = Duration::from_secs(30);
/// Connections that are opened at once, and the most that are opened.
const CONNECTING: usize = 4;
const SERVERS_MAX: usize = 1000;

/// Makes ready for another place. Touches no client.
pub(crate) async fn make_ready(gateway: Arc<Gateway>, database: String, to: String) -> Result<Answer, Refused> {
    let route = gateway.route(&database)?;
    route.forget_ready();
    // One that has just begun to serve is about to read it.
    let _late = timeout(READING, route.known()).await;
    if route.is_held() {
        return Err(Refused::Held { database });
    }
    if gateway.journal.routes().await?.is_none() {
        return Err(Refused::NoJournal);
    }
    let standing = gateway.journal.standing(&database).await?;
    if let Some(open) = standing.open {
        return Err(Refused::EpochOpen { epoch: open.epoch, migration: open.opening.migration });
    }
    let from = standing.leads_to.map_or(database, |led| led.to);
    let place = |name: &str| gateway.place(name).ok_or_else(|| Refused::NoPlace { to: name.to_owned() });
    let (here, there) = (place(&from)?, place(&to)?);
    let databases = gateway.with_databases_of(&route.database, |databases| Ok(databases.to_vec()))?;
    if let Some(leads_to) = databases.iter().map(|each| each.to()).find(|place| *place != from || *place == to) {
        return Err(Refused::Elsewhere { leads_to });
    }
    let (lifting, Identity { process_id, session_user }) =
        Fence::connect(&here).await.map_err(|why| Refused::PlaceClosed { to: from.clone(), why })?;
    let closed = |why| Refused::PlaceClosed { to: to.clone(), why };
    let (admitting, _) = Fence::connect(&there).await.map_err(closed)?;
    // Nobody gets in before clients are led back: users log in then, and types are taken for others.
    let is_fenced = fence::stands(&there, &route.database).await.map_err(closed)?;
    let looked_at = if is_fenced { Vec::new() } else { databases.clone() };
    let places = timeout(LIMIT, places(&looked_at, &to, &there));
    let late = |_| Refused::PlaceClosed { to: to.clone(), why: format!("no answer within {} s", LIMIT.as_secs()) };
    let places = places.await.map_err(late)??;
    let types = |name: &str| places.get(name).map_or(UserTypes::Renumbered, |next| next.types);
    let readiness = Readiness {
        gate: gateway.id.clone(),
        from: from.clone(),
        last_epoch: standing.last_epoch,
        fence_process_id: process_id,
        session_user,
        servers_open: places.values().map(NextPlace::servers).sum(),
        running: databases.iter().map(|database| database.gate.running()).sum(),
        kept: databases.iter().flat_map(|database| database.kept.list()).collect(),
        misled: databases.iter().map(|database| database.ended_by_leading(types(&database.name)).misled).sum(),
    };
    let made_at = Instant::now();
    let ready = Ready { from, to, fence: Arc::new(lifting), there: Arc::new(admitting), places, made_at };
    keep(&route, ready, standing.last_epoch)?;
    tokio::spawn(keep_few(route, databases, made_at));
    Ok(Answer::Ready(readiness))
}

/// A fence waits until the last session of the server that is left is gone, and each takes a while to end. Those that the
/// last rush of clients has opened, and that nobody needs any more, go before, until the gates close.
async fn keep_few(route: Arc<Route>, databases: Vec<Arc<Database>>, made_at: Instant) {
    let is_ready = || route.state().ready.as_ref().is_some_and(|ready| ready.made_at == made_at);
    while is_ready() && made_at.elapsed() < LOOKING {
        databases.iter().flat_map(|database| database.pools()).for_each(|pool| pool.let_go(UNNEEDED));
        tokio::time::sleep(LOOK).await;
    }
}

/// For the epoch behind the last one, which is decided: nothing that is asked for of that one takes what was made ready.
fn keep(route: &Route, ready: Ready, last_epoch: u64) -> Result<(), Refused> {
    let mut state = route.state();
    if state.hold.is_some() {
        return Err(Refused::Held { database: route.database.clone() });
    }
    state.note_decided(last_epoch);
    state.ready = Some(ready);
    Ok(())
}

async fn places(
    databases: &[Arc<Database>],
    to: &str,
    there: &ConnectionUrl,
) -> Result<BTreeMap<String, NextPlace>, Refused> {
    let mut places = BTreeMap::new();
    for database in databases {
        let types = crate::admin::look_at(database, to, there).await?;
        let servers = servers(database, there).await.map_err(|why| Refused::PlaceClosed { to: to.to_owned(), why })?;
        places.insert(database.name.clone(), NextPlace { types, servers });
    }
    Ok(places)
}

/// As many connections as each user has open now, so that those who are held find one.
async fn servers(database: &Database, there: &ConnectionUrl) -> Result<BTreeMap<String, OpenServers>, String> {
    let wanted = database.pools().into_iter().filter_map(|pool| {
        let login = database.login_at(&pool.user, there)?;
        let prepared_max = pool.limits().prepared_max;
        Some(vec![(pool.user.clone(), login, prepared_max); pool.open()])
    });
    let wanted: Vec<_> = wanted.flatten().take(SERVERS_MAX).collect();
    let mut connecting = futures_util::stream::iter(wanted)
        .map(|(user, login, prepared_max)| async move { (user, connect(&login, 0, prepared_max).await) })
        .buffer_unordered(CONNECTING);
    let mut servers: BTreeMap<String, OpenServers> = BTreeMap::new();
    while let Some((user, server)) = connecting.next().await {
        servers.entry(user).or_default().push(server.map_err(|error| atalaya_data::chain(&error))?);
    }
    Ok(servers)
}
