//! Whom a cancel request is for.
//!
//! A client gets a key of the gateway's own making, which outlives every change of its server. A request under that key
//! reaches the server that serves this client at that moment, or the client's own wait, or nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use atalaya_pgwire::server::CancelKey;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::server::CancelSlot;

/// Requests that are passed on at once; more wait.
const REQUESTS_AT_ONCE: usize = 64;

/// What can be cancelled of one client.
#[derive(Default)]
pub(crate) struct Cancelling {
    /// The server that works for it.
    pub(crate) server: CancelSlot,
    /// Its session's task.
    pub(crate) waker: OnceLock<Waker>,
    /// Whether it waits for a server, or before a gate.
    pub(crate) is_waiting: AtomicBool,
    is_wanted: AtomicBool,
    end: AtomicU8,
}

impl Cancelling {
    /// Has the session look what has become of it.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    /// Whether, and how, the gateway wants the session to end.
    pub(crate) fn wanted_end(&self) -> WantedEnd {
        match self.end.load(Ordering::Acquire) {
            0 => WantedEnd::Never,
            1 => WantedEnd::WhenIdle,
            _ => WantedEnd::Now,
        }
    }

    /// Whether the wait was cancelled; asking takes the request away.
    pub(crate) fn take_request(&self) -> bool {
        self.is_wanted.swap(false, Ordering::AcqRel)
    }
}

/// When a session has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum WantedEnd {
    Never = 0,
    /// Before its next transaction.
    WhenIdle = 1,
    /// In the middle of what it does.
    Now = 2,
}

/// All clients by their keys.
pub(crate) struct CancelKeys {
    clients: Mutex<HashMap<i32, Entry>>,
    requests: Semaphore,
}

struct Entry {
    secret: Box<[u8]>,
    client: Arc<Cancelling>,
}

impl Default for CancelKeys {
    fn default() -> Self {
        Self { clients: Mutex::default(), requests: Semaphore::new(REQUESTS_AT_ONCE) }
    }
}

impl CancelKeys {
    /// A key for a new client; its secret has four bytes, or 32 where the client speaks protocol 3.2.
    pub(crate) fn register(&self, client: &Arc<Cancelling>, minor: u16) -> CancelKey {
        let secret: Box<[u8]> = match minor {
            0 | 1 => Box::new(rand::random::<[u8; 4]>()),
            _ => Box::new(rand::random::<[u8; 32]>()),
        };
        let mut clients = self.clients.lock();
        loop {
            let process_id = rand::random::<i32>() & i32::MAX;
            if process_id != 0 && !clients.contains_key(&process_id) {
                clients.insert(process_id, Entry { secret: secret.clone(), client: Arc::clone(client) });
                return CancelKey { process_id, secret };
            }
        }
    }

    pub(crate) fn forget(&self, process_id: i32) {
        self.clients.lock().remove(&process_id);
    }

    /// Has every session look what has become of it.
    pub(crate) fn wake_all(&self) {
        self.clients.lock().values().for_each(|entry| entry.client.wake());
    }

    /// Has every session tell its client that the gateway ends.
    pub(crate) fn end_all(&self, end: WantedEnd) {
        for entry in self.clients.lock().values() {
            entry.client.end.store(end as u8, Ordering::Release);
            entry.client.wake();
        }
    }

    /// Cancels what a client waits for. A key that is nobody's is met with silence, as Postgres does.
    pub(crate) async fn cancel(&self, key: &CancelKey) {
        let client = {
            let clients = self.clients.lock();
            let Some(entry) = clients.get(&key.process_id) else { return };
            if !is_same(&entry.secret, &key.secret) {
                return;
            }
            Arc::clone(&entry.client)
        };
        let Ok(_permit) = self.requests.acquire().await else { return };
        // Counted under the lock by which a server changes hands, so that it is not given away in between.
        let request = client.server.lock().as_ref().map(|server| server.begin());
        match request {
            Some(request) => request.send().await,
            None => {
                if client.is_waiting.load(Ordering::Acquire) {
                    client.is_wanted.store(true, Ordering::Release);
                    client.wake();
                }
            }
        }
    }
}

/// Compares without telling by its time where the difference is.
fn is_same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}
