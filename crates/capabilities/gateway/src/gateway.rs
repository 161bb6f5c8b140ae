//! The gateway as a whole: what it serves, who is connected.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use atalaya_estate::ConnectionUrl;
use atalaya_pgwire::server::ScramVerifier;
use atalaya_route::Standing;
use parking_lot::RwLock;
use tokio::sync::{Notify, watch};

use crate::admin::{AdminTls, Refused};
use crate::cancel::CancelKeys;
use crate::configuration::{ClientTls, Configuration};
use crate::database::Database;
use crate::route::{Journal, Route, Routing};

/// See the module.
pub(crate) struct Gateway {
    /// What it calls itself: this process, and none after it.
    pub(crate) id: String,
    pub(crate) journal: Journal,
    serving: RwLock<Serving>,
    pub(crate) cancel_keys: CancelKeys,
    /// Makes up verifiers for users that do not exist.
    pub(crate) unknown_users_key: [u8; 32],
    seats_taken: AtomicUsize,
    /// Connections that have not said yet what they want.
    at_door: AtomicUsize,
    pub(crate) began_at: Instant,
    /// Whether clients are let in; the listening sockets close when it turns false.
    pub(crate) is_open: watch::Sender<bool>,
    /// Another process serves from here on.
    pub(crate) handed_over: Notify,
}

struct Serving {
    verifiers: BTreeMap<String, ScramVerifier>,
    databases: BTreeMap<String, Arc<Database>>,
    /// By the database that they are named after.
    routes: BTreeMap<String, Arc<Route>>,
    tls: Option<ClientTls>,
    admin_tls: Option<AdminTls>,
    clients_max: usize,
    places: BTreeMap<String, ConnectionUrl>,
}

/// Why a configuration is not served, for the administrator.
pub(crate) type NotServed = String;

impl Gateway {
    /// Clients of databases whose route has to be read first wait before closed gates.
    pub(crate) fn new(configuration: Configuration, routing: Routing) -> Self {
        let empty = Serving {
            verifiers: BTreeMap::new(),
            databases: BTreeMap::new(),
            routes: BTreeMap::new(),
            tls: None,
            admin_tls: None,
            clients_max: 0,
            places: BTreeMap::new(),
        };
        let address = configuration.gateway.listen.first().map(ToString::to_string).unwrap_or_default();
        let gateway = Self {
            id: format!("{address}#{:016x}", rand::random::<u64>()),
            journal: Journal::new(routing),
            serving: RwLock::new(empty),
            cancel_keys: CancelKeys::default(),
            unknown_users_key: rand::random(),
            seats_taken: AtomicUsize::new(0),
            at_door: AtomicUsize::new(0),
            began_at: Instant::now(),
            is_open: watch::Sender::new(true),
            handed_over: Notify::new(),
        };
        let mut serving = gateway.serving.write();
        gateway.replace(&mut serving, configuration);
        drop(serving);
        gateway
    }

    /// Serves another configuration from here on. Sessions stay; those of a user or database that is served no
    /// more end as they become idle. `standings` is what the journal says of each route.
    pub(crate) fn configure(
        &self,
        configuration: Configuration,
        standings: &BTreeMap<String, Standing>,
    ) -> Result<(), NotServed> {
        let mut serving = self.serving.write();
        for route in serving.routes.values() {
            if let Some(epoch) = route.held_epoch() {
                return Err(format!("epoch {} of `{}` is not decided yet", epoch.epoch, route.database));
            }
        }
        for (name, standing) in standings {
            if let Some(epoch) = &standing.open {
                return Err(format!("epoch {} of `{name}` is not decided yet", epoch.epoch));
            }
            if let Some(led) = standing.leads_to.as_ref().filter(|led| !configuration.places.contains_key(&led.to)) {
                return Err(format!("the journal leads `{name}` to `{}`, which is no Postgres of the estate", led.to));
            }
        }
        // From here on nothing is refused.
        for (name, standing) in standings {
            let route = serving.routes.entry(name.clone()).or_insert_with(|| Arc::new(Route::new(name.clone())));
            if !route.is_unread() {
                route.note(standing);
            }
        }
        self.replace(&mut serving, configuration);
        drop(serving);
        self.cancel_keys.wake_all();
        Ok(())
    }

    fn replace(&self, serving: &mut Serving, configuration: Configuration) {
        let is_start = serving.databases.is_empty();
        let mut former = std::mem::take(&mut serving.databases);
        let mut routes = BTreeMap::new();
        let mut databases = BTreeMap::new();
        for (name, mut part) in configuration.databases {
            let key = part.route.clone();
            let route = serving.routes.get(&key).or_else(|| routes.get(&key)).cloned();
            let route = route.unwrap_or_else(|| Arc::new(Route::new(key.clone())));
            route.forget_ready();
            let is_unread = route.is_unread() || (is_start && self.journal.is_asked());
            let led = route.led();
            if let Some(led) = &led
                && let Some(place) = configuration.places.get(&led.to)
            {
                part = part.at(led.to.clone(), place);
            }
            let known = former.remove(&name);
            // What kept it shut until now is another route's.
            let shut = known
                .as_ref()
                .filter(|known| known.route() != key)
                .and_then(|known| serving.routes.get(&known.route()).and_then(|before| before.give_up(known)));
            let database = match known {
                Some(known) => {
                    if led.is_some() {
                        known.follow_route();
                    }
                    let was_held = known.route() == key;
                    known.configure(part, &configuration.places);
                    match (is_unread, shut) {
                        (true, shut) if !was_held => route.hold_unread(&known, shut),
                        (false, Some(shut)) => {
                            known.gate.open(shut);
                        }
                        _ => {}
                    }
                    known
                }
                None => {
                    let database = Arc::new(Database::new(name.clone(), part));
                    if is_unread {
                        route.hold_unread(&database, None);
                    }
                    database
                }
            };
            databases.insert(name, database);
            routes.insert(key, route);
        }
        former.values().for_each(|gone| gone.close());
        *serving = Serving {
            verifiers: configuration.verifiers,
            databases,
            routes,
            tls: configuration.tls,
            admin_tls: configuration.admin,
            clients_max: usize::try_from(configuration.gateway.clients_max.get()).unwrap_or(usize::MAX),
            places: configuration.places,
        };
    }

    /// A route that a database of the gateway follows.
    pub(crate) fn route(&self, name: &str) -> Result<Arc<Route>, Refused> {
        let route = self.serving.read().routes.get(name).cloned();
        route.ok_or_else(|| Refused::NoRoute { database: name.to_owned() })
    }

    /// All of them.
    pub(crate) fn routes(&self) -> Vec<Arc<Route>> {
        self.serving.read().routes.values().cloned().collect()
    }

    /// Does something with the databases that follow a route, while nothing else is configured.
    pub(crate) fn with_databases_of<R>(
        &self,
        route: &str,
        work: impl FnOnce(&[Arc<Database>]) -> Result<R, Refused>,
    ) -> Result<R, Refused> {
        let serving = self.serving.read();
        let its = serving.databases.values().filter(|database| database.route() == route);
        work(&its.cloned().collect::<Vec<_>>())
    }

    /// Where a database of the estate is.
    pub(crate) fn place(&self, name: &str) -> Option<ConnectionUrl> {
        self.serving.read().places.get(name).cloned()
    }

    pub(crate) fn database(&self, name: &str) -> Option<Arc<Database>> {
        self.serving.read().databases.get(name).cloned()
    }

    pub(crate) fn databases(&self) -> Vec<Arc<Database>> {
        self.serving.read().databases.values().cloned().collect()
    }

    pub(crate) fn verifier(&self, user: &str) -> Option<ScramVerifier> {
        self.serving.read().verifiers.get(user).cloned()
    }

    pub(crate) fn tls(&self) -> Option<ClientTls> {
        self.serving.read().tls.clone()
    }

    /// How administrators on other machines are let in; `None` when they are not.
    pub(crate) fn admin_tls(&self) -> Option<AdminTls> {
        self.serving.read().admin_tls.clone()
    }

    /// As many clients may be connected at a time.
    pub(crate) fn clients_max(&self) -> usize {
        self.serving.read().clients_max
    }

    /// A place for one more client; `None` when all are taken.
    pub(crate) fn seat(self: &Arc<Self>) -> Option<Seat> {
        let limit = self.serving.read().clients_max;
        let taken = self.seats_taken.fetch_add(1, Ordering::AcqRel);
        let seat = Seat(Arc::clone(self));
        (taken < limit).then_some(seat)
    }

    /// A place at the door for one who has not said yet what it wants; `None` when as many stand there as may be seated, or
    /// [`AT_DOOR_MIN`]. It takes no seat: a cancel request has to come through when all of those are taken.
    pub(crate) fn door(self: &Arc<Self>) -> Option<AtDoor> {
        let limit = self.serving.read().clients_max.max(AT_DOOR_MIN);
        let standing = self.at_door.fetch_add(1, Ordering::AcqRel);
        let place = AtDoor(Arc::clone(self));
        (standing < limit).then_some(place)
    }

    pub(crate) fn seats_taken(&self) -> usize {
        self.seats_taken.load(Ordering::Acquire)
    }

    /// What time brings: servers that are too old, clients that have waited for too long.
    pub(crate) fn tidy(&self) {
        for database in self.databases() {
            for pool in database.pools() {
                database.gate.expire(pool.limits().wait);
                pool.tidy();
            }
        }
        self.routes().iter().for_each(|route| route.tidy());
    }
}

/// So many may stand at the door in any case.
const AT_DOOR_MIN: usize = 16;

/// A place at the door. It ends with its drop.
pub(crate) struct AtDoor(Arc<Gateway>);

impl Drop for AtDoor {
    fn drop(&mut self) {
        self.0.at_door.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A client's place. It ends with its drop.
pub(crate) struct Seat(Arc<Gateway>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.seats_taken.fetch_sub(1, Ordering::AcqRel);
    }
}
