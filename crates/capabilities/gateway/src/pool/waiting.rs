//! The queue of those who wait for a server.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use atalaya_postgres::wire::WireError;
use parking_lot::Mutex;

use super::Pool;
use crate::error::ServerAbsence;
use crate::server::Server;

/// One who waits.
pub(super) struct Waiter {
    since: Instant,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    waker: Option<Waker>,
    served: Option<Served>,
    /// Why none came so far.
    reason: Option<Arc<WireError>>,
    is_gone: bool,
}

/// Why somebody waited in vain, where no attempt has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// There are servers, and others have them.
    AllInUse,
    /// None has let the gateway in so far.
    NoneYet,
}

enum Served {
    Server(Box<Server>),
    Refused(ServerAbsence),
}

impl Default for Waiter {
    fn default() -> Self {
        Self { since: Instant::now(), waiting: Mutex::default() }
    }
}

impl Waiter {
    /// Hands a server over; it comes back when nobody waits any more.
    pub(super) fn give(&self, server: Box<Server>) -> Result<(), Box<Server>> {
        let mut waiting = self.waiting.lock();
        if waiting.is_gone {
            return Err(server);
        }
        waiting.serve(Served::Server(server));
        Ok(())
    }

    pub(super) fn refuse(&self, error: &Arc<WireError>) {
        self.waiting.lock().serve(Served::Refused(ServerAbsence::Unreachable(Arc::clone(error))));
    }

    /// Since when somebody waits.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// Sends away who has waited for too long, with the reason if one is known.
    pub(super) fn expire(&self, lack: Lack) {
        let mut waiting = self.waiting.lock();
        let seconds = self.since.elapsed().as_secs();
        let absence = match (waiting.reason.take(), lack) {
            (Some(error), _) => ServerAbsence::Unreachable(error),
            (None, Lack::AllInUse) => ServerAbsence::Busy { seconds },
            (None, Lack::NoneYet) => ServerAbsence::Silent { seconds },
        };
        waiting.serve(Served::Refused(absence));
    }

    /// Keeps why no server came, for when the wait ends.
    pub(super) fn note(&self, error: &Arc<WireError>) {
        self.waiting.lock().reason = Some(Arc::clone(error));
    }

    pub(super) fn is_gone(&self) -> bool {
        self.waiting.lock().is_gone
    }
}

impl Waiting {
    fn serve(&mut self, served: Served) {
        self.served = Some(served);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// A place in a pool's queue. Dropping it leaves the queue; a server that came meanwhile goes to the next.
pub(crate) struct ServerTicket {
    waiter: Arc<Waiter>,
    pool: Arc<Pool>,
}

impl ServerTicket {
    pub(super) fn new(waiter: Arc<Waiter>, pool: Arc<Pool>) -> Self {
        Self { waiter, pool }
    }

    /// Ready with a server, or with the reason why there will be none.
    pub(crate) fn poll_served(&mut self, context: &mut Context<'_>) -> Poll<Result<Box<Server>, ServerAbsence>> {
        let mut waiting = self.waiter.waiting.lock();
        match waiting.served.take() {
            Some(Served::Server(server)) => Poll::Ready(Ok(server)),
            Some(Served::Refused(error)) => Poll::Ready(Err(error)),
            None => {
                waiting.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for ServerTicket {
    fn drop(&mut self) {
        let mut waiting = self.waiter.waiting.lock();
        waiting.is_gone = true;
        let served = waiting.served.take();
        drop(waiting);
        if let Some(Served::Server(server)) = served {
            self.pool.put(server);
        }
    }
}
