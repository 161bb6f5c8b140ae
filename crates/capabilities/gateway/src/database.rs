//! A database as clients see it: its gate, its pools, its statements.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use atalaya_estate::{ConnectionUrl, Pooling, SessionCheck};
use parking_lot::{Mutex, RwLock};

use crate::configuration::DatabaseConfiguration;
use crate::gate::Gate;
use crate::kept::KeptServers;
use crate::knowing::KnowingTypes;
use crate::pool::{OpenServers, Place, Pool, UserTypes};
use crate::prepared::PreparedStatements;
use crate::server::Reported;
use crate::settings::Settings;
use crate::statistics::DatabaseStatistics;

/// What clients were told of so many different settings is remembered.
const REPORTED_MAX: usize = 256;

/// See the module.
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) gate: Gate,
    pub(crate) statements: PreparedStatements,
    pub(crate) statistics: DatabaseStatistics,
    pub(crate) kept: KeptServers,
    pub(crate) knowing_types: KnowingTypes,
    /// Whether any client asks what a sequence gave it last.
    pub(crate) reads_sequences: AtomicBool,
    configuration: RwLock<DatabaseConfiguration>,
    /// The estate's name of the place that it was led to while it was served.
    led_to: Mutex<Option<String>>,
    pools: Mutex<HashMap<String, Arc<Pool>>>,
    place_epoch: AtomicU64,
    /// What a server reports to a session with these startup settings, by user and place.
    reported: Mutex<Vec<(ReportedKey, Arc<Reported>)>>,
}

/// What is known of a place before clients are led there, and connections to it that are open already.
pub(crate) struct NextPlace {
    pub(crate) types: UserTypes,
    /// By the client's user.
    pub(crate) servers: BTreeMap<String, OpenServers>,
}

impl NextPlace {
    /// A place that was not looked at.
    pub(crate) fn unknown() -> Self {
        Self { types: UserTypes::Renumbered, servers: BTreeMap::new() }
    }

    /// How many connections there are.
    pub(crate) fn servers(&self) -> usize {
        self.servers.values().map(OpenServers::len).sum()
    }
}

/// Clients that are ended when the others are led elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Tied to a server of the former place, and there still.
    pub(crate) tied: usize,
    /// Tied to one whose session had ended before; since the gateway began.
    pub(crate) lost: usize,
    /// Others that know a type by its number at the former place.
    pub(crate) misled: usize,
}

/// Whether logins lead to another place, or let other users in.
fn is_elsewhere(former: &BTreeMap<String, ConnectionUrl>, next: &BTreeMap<String, ConnectionUrl>) -> bool {
    let is_same = |(user, url): (&String, &ConnectionUrl)| next.get(user).is_some_and(|next| next.is_same_login(url));
    former.len() != next.len() || !former.iter().all(is_same)
}

#[derive(Clone, PartialEq, Eq)]
struct ReportedKey {
    user: String,
    settings: Arc<Settings>,
    place_epoch: u64,
}

impl Database {
    pub(crate) fn new(name: String, configuration: DatabaseConfiguration) -> Self {
        Self {
            name,
            gate: Gate::default(),
            statements: PreparedStatements::default(),
            statistics: DatabaseStatistics::default(),
            kept: KeptServers::default(),
            knowing_types: KnowingTypes::default(),
            reads_sequences: AtomicBool::new(false),
            configuration: RwLock::new(configuration),
            led_to: Mutex::default(),
            pools: Mutex::default(),
            place_epoch: AtomicU64::new(1),
            reported: Mutex::default(),
        }
    }

    pub(crate) fn pooling(&self) -> Pooling {
        self.configuration.read().pooling
    }

    pub(crate) fn session_check(&self) -> SessionCheck {
        self.configuration.read().session_check
    }

    /// The name in the estate of where it leads.
    pub(crate) fn to(&self) -> String {
        self.configuration.read().to.clone()
    }

    /// The database of the estate whose route it follows: where the file leads.
    pub(crate) fn route(&self) -> String {
        self.configuration.read().route.clone()
    }

    /// The pool of a user; `None` when the user may not connect to this database.
    pub(crate) fn pool(&self, user: &str) -> Option<Arc<Pool>> {
        let mut pools = self.pools.lock();
        if let Some(pool) = pools.get(user) {
            return Some(Arc::clone(pool));
        }
        let configuration = self.configuration.read();
        let url = configuration.logins.get(user)?.clone();
        let epoch = self.place_epoch.load(Ordering::Acquire);
        let place = Place { url, epoch, types: UserTypes::Same };
        let pool = Arc::new(Pool::new(user.to_owned(), place, configuration.limits));
        pools.insert(user.to_owned(), Arc::clone(&pool));
        Some(pool)
    }

    pub(crate) fn pools(&self) -> Vec<Arc<Pool>> {
        self.pools.lock().values().cloned().collect()
    }

    /// Takes a new configuration of the estate. Another place, or another role, gets new connections; limits hold at once.
    /// Another password is for the next connections: those that are open have proven theirs, and whoever is tied to one,
    /// or in a transaction, goes on.
    ///
    /// A database that was led to another place stays there until the estate says so, too: an estate that was read again
    /// for another reason must not lead clients back to a server that others have left.
    pub(crate) fn configure(&self, configuration: DatabaseConfiguration, places: &BTreeMap<String, ConnectionUrl>) {
        let configuration = self.where_it_was_led(configuration, places);
        let types = self.types_at(&configuration);
        self.configure_with(configuration, types);
    }

    fn where_it_was_led(
        &self,
        configuration: DatabaseConfiguration,
        places: &BTreeMap<String, ConnectionUrl>,
    ) -> DatabaseConfiguration {
        let mut led_to = self.led_to.lock();
        let Some(to) = led_to.take().filter(|to| *to != configuration.to) else { return configuration };
        tracing::warn!(
            database = self.name,
            to,
            estate = configuration.to,
            "the database stays where it was led; change `to` in the estate"
        );
        *led_to = Some(to.clone());
        match places.get(&to) {
            Some(place) => configuration.at(to, place),
            // Taken out of the estate, which is no reason to go back either.
            None => DatabaseConfiguration { to, logins: self.configuration.read().logins.clone(), ..configuration },
        }
    }

    /// It is served no more: sessions end as they become idle.
    pub(crate) fn close(&self) {
        let epoch = self.place_epoch.fetch_add(1, Ordering::AcqRel) + 1;
        self.pools.lock().drain().for_each(|(_, pool)| pool.close(epoch));
        // Nobody can resume it any more.
        if let Some((closed, _)) = self.gate.closed() {
            self.gate.open(closed);
        }
    }

    /// Another password is no other place.
    fn types_at(&self, configuration: &DatabaseConfiguration) -> UserTypes {
        let current = self.configuration.read();
        let mut both = current.logins.iter().filter_map(|(user, url)| Some((url, configuration.logins.get(user)?)));
        if both.all(|(former, next)| former.is_same_database(next)) { UserTypes::Same } else { UserTypes::Renumbered }
    }

    fn configure_with(&self, configuration: DatabaseConfiguration, types: UserTypes) {
        let mut pools = self.pools.lock();
        let moved = {
            let mut current = self.configuration.write();
            let moved = is_elsewhere(&current.logins, &configuration.logins);
            *current = configuration;
            moved
        };
        let epoch = if moved { self.place_epoch.fetch_add(1, Ordering::AcqRel) + 1 } else { 0 };
        let configuration = self.configuration.read();
        pools.retain(|user, pool| {
            pool.set_limits(configuration.limits);
            match configuration.logins.get(user) {
                Some(url) if pool.renew_secret(url) => {}
                Some(url) => pool.move_to(Place { url: url.clone(), epoch, types }),
                None => pool.close(epoch),
            }
            !pool.is_closed()
        });
        drop(configuration);
        drop(pools);
        if moved {
            self.statements.forget_all();
        }
    }

    /// Every login of this database, as it is and as it would be at another place.
    pub(crate) fn logins_at(&self, place: &ConnectionUrl) -> Vec<(ConnectionUrl, ConnectionUrl)> {
        let configuration = self.configuration.read();
        let at = |login: &ConnectionUrl| place.with_login(login.user(), login.password().unwrap_or_default());
        configuration.logins.values().map(|login| (login.clone(), at(login))).collect()
    }

    /// Leads to another place from here on, with the same users. Returns who is ended by that.
    pub(crate) fn lead_to(&self, to: String, place: &ConnectionUrl, types: UserTypes) -> Ended {
        *self.led_to.lock() = Some(to.clone());
        let configuration = self.configuration.read().clone().at(to, place);
        let ended = self.ended_by_leading(types);
        self.configure_with(configuration, types);
        ended
    }

    /// Who would be ended at a place that numbers types so.
    pub(crate) fn ended_by_leading(&self, types: UserTypes) -> Ended {
        let tied = self.kept.tied();
        let misled = match types {
            UserTypes::Same => 0,
            UserTypes::Renumbered => self.knowing_types.but_for(&tied.process_ids),
        };
        Ended { tied: tied.process_ids.len(), lost: tied.lost, misled }
    }

    /// A user's login at another place.
    pub(crate) fn login_at(&self, user: &str, place: &ConnectionUrl) -> Option<ConnectionUrl> {
        let configuration = self.configuration.read();
        let login = configuration.logins.get(user)?;
        Some(place.with_login(login.user(), login.password().unwrap_or_default()))
    }

    /// The same where the journal leads: no reload leads back, whatever the estate says. Servers that are open there already
    /// are used first.
    pub(crate) fn lead_by_route(&self, to: &str, place: &ConnectionUrl, mut next: NextPlace) -> Ended {
        let ended = self.lead_to(to.to_owned(), place, next.types);
        self.follow_route();
        for pool in self.pools() {
            pool.stock(next.servers.remove(&pool.user).unwrap_or_default());
        }
        ended
    }

    /// The journal says where it leads; what an administrator said before counts no more.
    pub(crate) fn follow_route(&self) {
        *self.led_to.lock() = None;
    }

    /// What was reported to others who logged in with the same settings.
    pub(crate) fn reported(&self, pool: &Pool, settings: &Arc<Settings>) -> Option<(Arc<Settings>, Arc<Reported>)> {
        let place_epoch = pool.place_epoch();
        let known = self.reported.lock();
        let is_same =
            |key: &ReportedKey| key.place_epoch == place_epoch && key.user == pool.user && *key.settings == **settings;
        let found = known.iter().find(|(key, _)| is_same(key));
        found.map(|(key, reported)| (Arc::clone(&key.settings), Arc::clone(reported)))
    }

    /// Remembers it. The settings become one value for all who have them, so that comparing them is cheap.
    pub(crate) fn remember_reported(
        &self,
        pool: &Pool,
        settings: &Arc<Settings>,
        reported: &Reported,
    ) -> Arc<Reported> {
        let reported = Arc::new(reported.clone());
        let mut known = self.reported.lock();
        if known.len() >= REPORTED_MAX {
            known.remove(0);
        }
        let key =
            ReportedKey { user: pool.user.clone(), settings: Arc::clone(settings), place_epoch: pool.place_epoch() };
        known.push((key, Arc::clone(&reported)));
        reported
    }
}
