//! Says when the journal has grown: at once when this process appended, within 50 ms when another one did.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

use crate::{Error, Position};

/// How often the file is looked at, while somebody waits; SQLite tells nobody of other processes' commits.
const LOOK: Duration = Duration::from_millis(50);
/// A wait ends after this time anyhow.
const WAIT: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Waiting {
    count: usize,
    stopped: bool,
}

/// The journal's end as far as this process knows.
pub(super) struct Watch {
    end: Arc<watch::Sender<u64>>,
    waiting: Arc<(Mutex<Waiting>, Condvar)>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Watch {
    /// Starts the thread that looks, which rests while nobody waits.
    pub(super) fn start(connection: Connection) -> Result<Self, Error> {
        let end = Arc::new(watch::Sender::new(0));
        let waiting = Arc::new((Mutex::new(Waiting::default()), Condvar::new()));
        let (its_end, its_waiting) = (end.clone(), waiting.clone());
        let body = move || look(&connection, &its_end, &its_waiting);
        let started = std::thread::Builder::new().name("journal watch".to_owned()).spawn(body);
        started.map(|thread| Self { end, waiting, thread: Mutex::new(Some(thread)) }).map_err(|source| Error::File {
            action: "start a thread for",
            path: "journal watch".into(),
            source: Arc::new(source),
        })
    }

    /// This process has appended.
    pub(super) fn publish(&self, end: Position) {
        raise(&self.end, end.number());
    }

    /// Waits until the journal may have grown.
    pub(super) async fn grown(&self, beyond: Position) -> Result<(), Error> {
        let _counted = Counted::new(&self.waiting);
        let mut end = self.end.subscribe();
        let longer = end.wait_for(|end| *end > beyond.number());
        drop(tokio::time::timeout(WAIT, longer).await);
        Ok(())
    }

    /// Ends the thread, and waits until it has let go of the file.
    pub(super) async fn stop(&self) {
        self.end_thread();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(tokio::task::spawn_blocking(move || thread.map(JoinHandle::join)).await);
    }

    fn end_thread(&self) {
        self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner).stopped = true;
        self.waiting.1.notify_all();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end_thread();
    }
}

/// One who waits, counted as long as it lives.
struct Counted<'a>(&'a (Mutex<Waiting>, Condvar));

impl<'a> Counted<'a> {
    fn new(waiting: &'a (Mutex<Waiting>, Condvar)) -> Self {
        waiting.0.lock().unwrap_or_else(PoisonError::into_inner).count += 1;
        waiting.1.notify_all();
        Self(waiting)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).count -= 1;
    }
}

fn raise(end: &watch::Sender<u64>, to: u64) {
    end.send_if_modified(|end| {
        let grown = to > *end;
        *end = to.max(*end);
        grown
    });
}

fn look(connection: &Connection, end: &watch::Sender<u64>, waiting: &(Mutex<Waiting>, Condvar)) {
    let mut seen = None;
    loop {
        let guard = waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
        let awake = |waiting: &mut Waiting| waiting.count == 0 && !waiting.stopped;
        let guard = waiting.1.wait_while(guard, awake).unwrap_or_else(PoisonError::into_inner);
        if guard.stopped {
            return;
        }
        // Also ends this nap when the store is closed.
        let napping = |waiting: &mut Waiting| !waiting.stopped;
        let version = connection.pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0)).ok();
        drop(guard);
        if version.is_none() || version != seen {
            let position = connection.query_row("SELECT position FROM head", [], |row| row.get::<_, i64>(0));
            if let Some(position) = position.ok().and_then(|position| u64::try_from(position).ok()) {
                raise(end, position);
                seen = version;
            }
        }
        let guard = waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(waiting.1.wait_timeout_while(guard, LOOK, napping));
    }
}
