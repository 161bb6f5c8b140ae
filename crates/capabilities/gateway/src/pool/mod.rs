//! The servers that one user's clients of one database share.

mod connecting;
mod stock;
mod waiting;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

use crate::server::Server;
use crate::settings::Settings;

pub(crate) use stock::OpenServers;
pub(crate) use waiting::ServerTicket;
use waiting::{Lack, Waiter};

/// How many idle servers are looked at for one with the client's settings.
const SAME_SETTINGS_LOOKS: usize = 8;

/// Limits of a pool; they may change while it is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolLimits {
    pub(crate) servers_max: usize,
    pub(crate) wait: Duration,
    pub(crate) server_idle: Duration,
    pub(crate) server_lifetime: Duration,
    pub(crate) prepared_max: usize,
}

/// Where a pool's servers are; a new place has a new epoch.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) url: atalaya_estate::ConnectionUrl,
    pub(crate) epoch: u64,
    pub(crate) types: UserTypes,
}

/// What a new place makes of the type numbers that clients remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UserTypes {
    /// They are the former place's.
    Same,
    /// Types that users made have other numbers, or may have.
    Renumbered,
}

/// See the module.
pub(crate) struct Pool {
    pub(crate) user: String,
    limits: RwLock<PoolLimits>,
    place: RwLock<Place>,
    /// The place's, to be looked at often.
    place_epoch: AtomicU64,
    is_closed: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    #[expect(clippy::vec_box, reason = "a server changes hands as one pointer")]
    idle: Vec<Box<Server>>,
    /// All that are open or about to be: idle, lent, connecting.
    open: usize,
    connecting: usize,
    waiters: VecDeque<Arc<Waiter>>,
    /// Attempts that failed one after the other.
    failures: u32,
}

/// What a pool holds at a moment.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct PoolCounts {
    pub(crate) servers_idle: usize,
    pub(crate) servers_used: usize,
    pub(crate) servers_connecting: usize,
    pub(crate) clients_waiting: usize,
}

impl Pool {
    pub(crate) fn new(user: String, place: Place, limits: PoolLimits) -> Self {
        let (place_epoch, is_closed) = (AtomicU64::new(place.epoch), AtomicBool::new(false));
        Self {
            user,
            limits: RwLock::new(limits),
            place: RwLock::new(place),
            place_epoch,
            is_closed,
            state: Mutex::default(),
        }
    }

    pub(crate) fn limits(&self) -> PoolLimits {
        *self.limits.read()
    }

    pub(crate) fn place_epoch(&self) -> u64 {
        self.place_epoch.load(Ordering::Acquire)
    }

    /// Whom the gateway logs in as.
    pub(crate) fn server_user(&self) -> String {
        self.place.read().url.user().to_owned()
    }

    /// What clients that came before this place may go on believing.
    pub(crate) fn user_types(&self) -> UserTypes {
        self.place.read().types
    }

    /// A free server, or a place in the queue for one.
    pub(crate) fn take(self: &Arc<Self>, settings: &Arc<Settings>) -> Result<Box<Server>, ServerTicket> {
        let mut state = self.state.lock();
        // Who waits already goes first.
        if state.waiters.is_empty() {
            while let Some(server) = state.pop_idle(settings) {
                if server.is_silent() && server.place_epoch == self.place_epoch() {
                    return Ok(server);
                }
                state.open -= 1;
                drop(server);
            }
        }
        let waiter = Arc::new(Waiter::default());
        state.waiters.push_back(Arc::clone(&waiter));
        self.connect_if_needed(&mut state);
        Err(ServerTicket::new(waiter, Arc::clone(self)))
    }

    /// Takes a server back, or lets it go.
    pub(crate) fn put(self: &Arc<Self>, mut server: Box<Server>) {
        if !server.is_clean() || server.place_epoch != self.place_epoch() {
            return self.discard(server);
        }
        if server.cancel.is_under_way() {
            // Its signal may still be on its way, and would meet the next client's statement.
            let pool = Arc::clone(self);
            tokio::spawn(async move {
                server.cancel.settled().await;
                let settled = tokio::time::timeout(Duration::from_secs(5), server.run("")).await;
                match settled {
                    Ok(Ok(())) => pool.put(server),
                    _ => pool.discard(server),
                }
            });
            return;
        }
        let limits = self.limits();
        if server.opened_at.elapsed() > limits.server_lifetime {
            return self.discard(server);
        }
        let mut state = self.state.lock();
        // Asked once more under the lock by which those of a former place are closed: one that came in between stayed.
        if state.open > limits.servers_max || server.place_epoch != self.place_epoch() {
            drop(state);
            return self.discard(server);
        }
        while let Some(waiter) = state.waiters.pop_front() {
            match waiter.give(server) {
                Ok(()) => return,
                Err(refused) => server = refused,
            }
        }
        server.idle_since = Instant::now();
        state.idle.push(server);
    }

    /// Takes a server back that nobody needs any more, but for a transaction that runs already and has none yet.
    pub(crate) fn end(self: &Arc<Self>, server: Box<Server>) {
        let is_awaited = !self.state.lock().waiters.is_empty();
        if is_awaited { self.put(server) } else { self.discard(server) }
    }

    /// Closes a server's connection, and opens another one where somebody waits.
    pub(crate) fn discard(self: &Arc<Self>, server: Box<Server>) {
        drop(server);
        let mut state = self.state.lock();
        state.open = state.open.saturating_sub(1);
        self.connect_if_needed(&mut state);
    }

    /// Closes servers that are idle for too long, too old, or ended by the other side; sends those away who have waited
    /// for too long.
    pub(crate) fn tidy(self: &Arc<Self>) {
        let limits = self.limits();
        let place_epoch = self.place_epoch();
        let mut state = self.state.lock();
        let before = state.idle.len();
        state.idle.retain(|server| {
            server.place_epoch == place_epoch
                && server.idle_since.elapsed() <= limits.server_idle
                && server.opened_at.elapsed() <= limits.server_lifetime
                && server.is_silent()
        });
        state.open -= before - state.idle.len();
        state.waiters.retain(|waiter| !waiter.is_gone());
        while state.waiters.front().is_some_and(|waiter| waiter.since().elapsed() > limits.wait) {
            let is_full = state.open > state.connecting;
            if let Some(waiter) = state.waiters.pop_front() {
                waiter.expire(if is_full { Lack::AllInUse } else { Lack::NoneYet });
            }
        }
        self.connect_if_needed(&mut state);
    }

    /// Closes servers that nobody has needed for so long.
    pub(crate) fn let_go(&self, idle: Duration) {
        let mut state = self.state.lock();
        let before = state.idle.len();
        state.idle.retain(|server| server.idle_since.elapsed() < idle);
        state.open -= before - state.idle.len();
    }

    /// From here on servers of another place are used; idle ones of the former are closed.
    pub(crate) fn move_to(self: &Arc<Self>, place: Place) {
        let epoch = place.epoch;
        *self.place.write() = place;
        self.place_epoch.store(epoch, Ordering::Release);
        self.tidy();
    }

    /// The estate lets its user in no more: sessions end as they become idle.
    pub(crate) fn close(self: &Arc<Self>, epoch: u64) {
        self.is_closed.store(true, Ordering::Release);
        let url = self.place.read().url.clone();
        self.move_to(Place { url, epoch, types: UserTypes::Renumbered });
        let waiters = std::mem::take(&mut self.state.lock().waiters);
        waiters.iter().for_each(|waiter| waiter.expire(Lack::AllInUse));
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Whether its servers are opened by this login.
    pub(crate) fn is_at(&self, url: &atalaya_estate::ConnectionUrl) -> bool {
        self.place.read().url == *url
    }

    /// Takes another password for the servers that are opened from here on. `false`, and nothing is taken, when it is not
    /// the same login otherwise.
    pub(crate) fn renew_secret(&self, url: &atalaya_estate::ConnectionUrl) -> bool {
        let mut place = self.place.write();
        let is_same = place.url.is_same_login(url);
        if is_same {
            place.url = url.clone();
        }
        is_same
    }

    pub(crate) fn set_limits(&self, limits: PoolLimits) {
        *self.limits.write() = limits;
    }

    pub(crate) fn counts(&self) -> PoolCounts {
        let state = self.state.lock();
        PoolCounts {
            servers_idle: state.idle.len(),
            servers_used: state.open - state.connecting - state.idle.len(),
            servers_connecting: state.connecting,
            clients_waiting: state.waiters.iter().filter(|waiter| !waiter.is_gone()).count(),
        }
    }
}

impl State {
    /// The one used last whose settings are the client's, else the one used last: the others can grow old.
    fn pop_idle(&mut self, settings: &Arc<Settings>) -> Option<Box<Server>> {
        let first = self.idle.len().saturating_sub(SAME_SETTINGS_LOOKS);
        let recent = self.idle.get(first..)?;
        let same = recent.iter().rposition(|server| Arc::ptr_eq(&server.label, settings) || server.label == *settings);
        match same {
            Some(found) => Some(self.idle.remove(first + found)),
            None => self.idle.pop(),
        }
    }
}
