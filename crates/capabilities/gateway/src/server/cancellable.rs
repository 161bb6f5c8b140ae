//! Cancelling what a server runs, without ever reaching what it runs next.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use atalaya_postgres::wire::CancelTarget;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The server that a client's cancel request is for, while there is one.
pub(crate) type CancelSlot = Mutex<Option<Arc<Cancellable>>>;

/// What is needed to cancel the statement of a server, and how many try to at the moment.
#[derive(Debug)]
pub(crate) struct Cancellable {
    target: CancelTarget,
    under_way: AtomicUsize,
    /// Requests of which nobody knows whether their signal has been sent.
    doubtful: AtomicUsize,
    done: Notify,
}

impl Cancellable {
    pub(crate) fn new(target: CancelTarget) -> Self {
        Self { target, under_way: AtomicUsize::new(0), doubtful: AtomicUsize::new(0), done: Notify::new() }
    }

    /// The server's process, as in `pg_stat_activity`.
    pub(crate) fn process_id(&self) -> i32 {
        self.target.process_id()
    }

    /// Counts a cancel request; it ends with the guard.
    pub(crate) fn begin(self: &Arc<Self>) -> CancelGuard {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        CancelGuard(Arc::clone(self))
    }

    /// Whether the server may not be given to another client yet.
    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.load(Ordering::SeqCst) > 0
    }

    /// Whether a signal may still come that no one waits for.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.doubtful.load(Ordering::SeqCst) > 0
    }

    /// Waits until no cancel request is under way.
    pub(crate) async fn settled(&self) {
        loop {
            let mut notified = std::pin::pin!(self.done.notified());
            // Registered before the count is looked at, or the last one's word is missed.
            Pin::as_mut(&mut notified).enable();
            if !self.is_under_way() {
                return;
            }
            notified.await;
        }
    }
}

/// A cancel request that is under way.
pub(crate) struct CancelGuard(Arc<Cancellable>);

impl CancelGuard {
    /// Sends it, and waits until the server has sent its signal.
    pub(crate) async fn send(self) {
        // Counted beforehand: when this is dropped in the middle, nobody knows either.
        self.0.doubtful.fetch_add(1, Ordering::SeqCst);
        if self.0.target.cancel().await {
            self.0.doubtful.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
        self.0.done.notify_waiters();
    }
}
