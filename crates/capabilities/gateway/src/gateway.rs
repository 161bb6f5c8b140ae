//! The gateway as a whole: what it serves, who is connected.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use atalaya_estate::ConnectionUrl;
use atalaya_pgwire::server::ScramVerifier;
use parking_lot::RwLock;
use tokio::sync::{Notify, watch};

use crate::admin::AdminTls;
use crate::cancel::CancelKeys;
use crate::configuration::{ClientTls, Configuration};
use crate::database::Database;

/// See the module.
pub(crate) struct Gateway {
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
    tls: Option<ClientTls>,
    admin_tls: Option<AdminTls>,
    clients_max: usize,
    places: BTreeMap<String, ConnectionUrl>,
}

impl Gateway {
    pub(crate) fn new(configuration: Configuration) -> Self {
        let empty = Serving {
            verifiers: BTreeMap::new(),
            databases: BTreeMap::new(),
            tls: None,
            admin_tls: None,
            clients_max: 0,
            places: BTreeMap::new(),
        };
        let gateway = Self {
            serving: RwLock::new(empty),
            cancel_keys: CancelKeys::default(),
            unknown_users_key: rand::random(),
            seats_taken: AtomicUsize::new(0),
            at_door: AtomicUsize::new(0),
            began_at: Instant::now(),
            is_open: watch::Sender::new(true),
            handed_over: Notify::new(),
        };
        gateway.configure(configuration);
        gateway
    }

    /// Serves another configuration from here on. Sessions stay; those of a user or database that is served no
    /// more end as they become idle.
    pub(crate) fn configure(&self, configuration: Configuration) {
        let mut serving = self.serving.write();
        let mut databases = BTreeMap::new();
        for (name, part) in configuration.databases {
            let database = match serving.databases.get(&name) {
                Some(known) => {
                    known.configure(part, &configuration.places);
                    Arc::clone(known)
                }
                None => Arc::new(Database::new(name.clone(), part)),
            };
            databases.insert(name, database);
        }
        let gone = serving.databases.iter().filter(|(name, _)| !databases.contains_key(*name));
        gone.for_each(|(_, database)| database.close());
        *serving = Serving {
            verifiers: configuration.verifiers,
            databases,
            tls: configuration.tls,
            admin_tls: configuration.admin,
            clients_max: usize::try_from(configuration.gateway.clients_max.get()).unwrap_or(usize::MAX),
            places: configuration.places,
        };
        drop(serving);
        self.cancel_keys.wake_all();
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
