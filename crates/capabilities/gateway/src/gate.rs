//! The gate of a database: transactions begin only while it is open.
//!
//! Closing it holds new transactions and lets those that run go on. Entering costs two atomic operations while it is
//! open. The order of both is what makes it right: a transaction counts itself before it looks whether the gate is
//! closed, and who closes it marks it closed before looking at the count, so one of them sees the other.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::error::ServerAbsence;

/// Who closed a gate; only the same opens it.
pub type GateEpoch = u64;

/// Those who were called when a gate opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) clients: usize,
    /// How long the first of them had waited.
    pub(crate) longest: Duration,
}

impl Held {
    /// Those of two gates.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { clients: self.clients + other.clients, longest: self.longest.max(other.longest) }
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct Gate {
    is_closed: AtomicBool,
    /// Whether servers are let go of for good when their transactions are over.
    ends_servers: AtomicBool,
    running: AtomicUsize,
    state: Mutex<State>,
    drained: Notify,
}

#[derive(Default)]
struct State {
    closed: Option<(GateEpoch, Instant)>,
    last_epoch: GateEpoch,
    waiting: VecDeque<Arc<Place>>,
}

struct Place {
    waker: Mutex<Option<Waker>>,
    called: AtomicU8,
    is_gone: AtomicBool,
    since: Instant,
}

/// What a place was called for.
const NOT_YET: u8 = 0;
const TO_ENTER: u8 = 1;
const TOO_LATE: u8 = 2;

impl Place {
    fn call(&self, called: u8) {
        self.called.store(called, Ordering::Release);
        if let Some(waker) = self.waker.lock().take() {
            waker.wake();
        }
    }
}

/// A place in the queue before a closed gate. Dropping it leaves the queue.
pub(crate) struct GateTicket(Arc<Place>);

impl GateTicket {
    /// Ready when the gate was opened; [`Gate::enter`] is tried again then. Or when it was closed for too long.
    pub(crate) fn poll_called(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ServerAbsence>> {
        *self.0.waker.lock() = Some(context.waker().clone());
        match self.0.called.load(Ordering::Acquire) {
            NOT_YET => Poll::Pending,
            TO_ENTER => Poll::Ready(Ok(())),
            _ => Poll::Ready(Err(ServerAbsence::Paused { seconds: self.0.since.elapsed().as_secs() })),
        }
    }
}

impl Drop for GateTicket {
    fn drop(&mut self) {
        self.0.is_gone.store(true, Ordering::Release);
    }
}

impl Gate {
    /// Counts a transaction in, or gives it a place before the closed gate.
    pub(crate) fn enter(&self) -> Result<(), GateTicket> {
        self.running.fetch_add(1, Ordering::SeqCst);
        if !self.is_closed.load(Ordering::SeqCst) {
            return Ok(());
        }
        let mut state = self.state.lock();
        if state.closed.is_none() {
            return Ok(()); // opened in between
        }
        let place = Arc::new(Place {
            waker: Mutex::default(),
            called: AtomicU8::new(NOT_YET),
            is_gone: AtomicBool::new(false),
            since: Instant::now(),
        });
        // Those who left are forgotten when the queue would grow.
        if state.waiting.len() == state.waiting.capacity() {
            state.waiting.retain(|place| !place.is_gone.load(Ordering::Acquire));
        }
        state.waiting.push_back(Arc::clone(&place));
        drop(state);
        self.leave();
        Err(GateTicket(place))
    }

    /// Counts a transaction out.
    pub(crate) fn leave(&self) {
        if self.running.fetch_sub(1, Ordering::SeqCst) == 1 && self.is_closed.load(Ordering::SeqCst) {
            self.drained.notify_waiters();
        }
    }

    /// Closes the gate; `None` when it is closed already.
    pub(crate) fn close(&self) -> Option<GateEpoch> {
        let mut state = self.state.lock();
        if state.closed.is_some() {
            return None;
        }
        state.last_epoch += 1;
        state.closed = Some((state.last_epoch, Instant::now()));
        self.is_closed.store(true, Ordering::SeqCst);
        Some(state.last_epoch)
    }

    /// Until it is opened, nobody needs the server any more that a transaction has had.
    pub(crate) fn end_servers(&self, epoch: GateEpoch) {
        let state = self.state.lock();
        if state.closed.is_some_and(|(closed, _)| closed == epoch) {
            self.ends_servers.store(true, Ordering::SeqCst);
        }
    }

    pub(crate) fn ends_servers(&self) -> bool {
        self.ends_servers.load(Ordering::SeqCst)
    }

    /// Waits until no transaction runs.
    pub(crate) async fn drained(&self) {
        loop {
            let mut notified = std::pin::pin!(self.drained.notified());
            // Registered before the count is looked at, or the last one's word is missed.
            Pin::as_mut(&mut notified).enable();
            if self.running.load(Ordering::SeqCst) == 0 {
                return;
            }
            notified.await;
        }
    }

    /// Opens the gate that was closed under this epoch and calls those who wait, in their order.
    pub(crate) fn open(&self, epoch: GateEpoch) -> bool {
        self.open_after(epoch, || ()).is_some()
    }

    /// The same after some work that nobody else's opening may come before; `None`, and no work, when the gate is not
    /// closed under this epoch.
    pub(crate) fn open_after<R>(&self, epoch: GateEpoch, work: impl FnOnce() -> R) -> Option<(R, Held)> {
        let (result, mut called) = {
            let mut state = self.state.lock();
            if state.closed.is_none_or(|(closed, _)| closed != epoch) {
                return None;
            }
            let result = work();
            state.closed = None;
            self.ends_servers.store(false, Ordering::SeqCst);
            self.is_closed.store(false, Ordering::SeqCst);
            (result, std::mem::take(&mut state.waiting))
        };
        called.retain(|place| !place.is_gone.load(Ordering::Acquire));
        let longest = called.front().map_or(Duration::ZERO, |first| first.since.elapsed());
        called.iter().for_each(|place| place.call(TO_ENTER));
        Some((result, Held { clients: called.len(), longest }))
    }

    /// Sends those away who have waited for longer than this.
    pub(crate) fn expire(&self, limit: Duration) {
        let mut state = self.state.lock();
        while state.waiting.front().is_some_and(|place| place.since.elapsed() > limit) {
            if let Some(place) = state.waiting.pop_front() {
                place.call(TOO_LATE);
            }
        }
    }

    /// Since when it is closed, and under which epoch.
    pub(crate) fn closed(&self) -> Option<(GateEpoch, Instant)> {
        self.state.lock().closed
    }

    /// Transactions under way.
    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// Sessions that wait to begin one.
    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().waiting.iter().filter(|place| !place.is_gone.load(Ordering::Acquire)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_gate_counts_and_a_closed_one_holds() {
        let gate = Gate::default();
        gate.enter().ok().unwrap();
        let epoch = gate.close().unwrap();
        assert_eq!(gate.close(), None);
        let mut ticket = gate.enter().err().unwrap();
        assert_eq!((gate.running(), gate.waiting()), (1, 1));
        assert!(!gate.open(epoch + 1), "another epoch does not open it");
        assert!(gate.open(epoch));
        let mut context = Context::from_waker(Waker::noop());
        assert!(matches!(ticket.poll_called(&mut context), Poll::Ready(Ok(()))));
        gate.leave();
        assert_eq!(gate.running(), 0);
    }

    #[test]
    fn servers_end_with_their_transactions_until_the_gate_opens() {
        let gate = Gate::default();
        let epoch = gate.close().unwrap();
        gate.end_servers(epoch + 1);
        assert!(!gate.ends_servers(), "it is closed under another epoch");
        gate.end_servers(epoch);
        assert!(gate.ends_servers());
        assert!(gate.open(epoch));
        assert!(!gate.ends_servers());
        gate.end_servers(epoch);
        assert!(!gate.ends_servers(), "it is open");
    }

    #[test]
    fn who_is_called_is_counted_with_the_longest_wait() {
        let gate = Gate::default();
        let epoch = gate.close().unwrap();
        let (gone, first, second) = (gate.enter().err(), gate.enter().err().unwrap(), gate.enter().err());
        drop(gone);
        let waited = first.0.since.elapsed();
        let ((), held) = gate.open_after(epoch, || ()).unwrap();
        assert_eq!(held.clients, 2);
        assert!(held.longest >= waited);
        drop(second);
        assert_eq!(gate.open_after(epoch, || ()), None, "it is open");
    }

    #[test]
    fn who_leaves_the_queue_is_not_counted() {
        let gate = Gate::default();
        gate.close().unwrap();
        drop(gate.enter().err().unwrap());
        assert_eq!((gate.running(), gate.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn drained_waits_for_the_last_transaction() {
        let gate = Arc::new(Gate::default());
        gate.enter().ok().unwrap();
        gate.close().unwrap();
        let waiter = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.drained().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        gate.leave();
        waiter.await.unwrap();
    }
}
