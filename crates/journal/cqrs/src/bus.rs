//! Events for whoever listens in this process, once they are committed. Nothing waits for a listener: one that is slow is
//! told from where on it missed some, and reads them in the journal.

use std::sync::Arc;

use atalaya_eventstore::{Error, Event, Position, Read, Store};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

const PAGE: u32 = 512;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

/// Tells of events as they are committed, by whatever process. Ends with its last handle.
#[derive(Clone)]
pub struct Bus {
    sender: broadcast::Sender<Arc<Event>>,
    _reading: Arc<Reading>,
}

struct Reading(JoinHandle<()>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a listener hears.
#[derive(Clone, Debug)]
pub enum Heard {
    /// The next event.
    Event(Arc<Event>),
    /// So many came while nobody listened; the next one that is heard comes after them.
    Missed(u64),
    /// The bus has ended.
    Over,
}

/// Listens to a bus.
pub struct Listener(broadcast::Receiver<Arc<Event>>);

impl Bus {
    /// Tells of events after the journal's present end; at most so many wait for the slowest listener.
    ///
    /// # Errors
    /// When the journal does not answer.
    pub async fn start(store: Store, waiting: usize) -> Result<Self, Error> {
        let (sender, _) = broadcast::channel(waiting.max(1));
        let head = store.head().await?;
        let reading = tokio::spawn(read(store, head, sender.clone()));
        Ok(Self { sender, _reading: Arc::new(Reading(reading)) })
    }

    /// Hears what is committed from here on.
    #[must_use]
    pub fn listen(&self) -> Listener {
        Listener(self.sender.subscribe())
    }
}

impl Listener {
    /// What is heard next.
    pub async fn next(&mut self) -> Heard {
        match self.0.recv().await {
            Ok(event) => Heard::Event(event),
            Err(broadcast::error::RecvError::Lagged(missed)) => Heard::Missed(missed),
            Err(broadcast::error::RecvError::Closed) => Heard::Over,
        }
    }
}

async fn read(store: Store, mut at: Position, sender: broadcast::Sender<Arc<Event>>) {
    loop {
        let page = store.read(Read::all_after(at, PAGE)).await;
        match page {
            Ok(page) if page.events.is_empty() => {
                if store.grown(at).await.is_err() {
                    tokio::time::sleep(PAUSE).await;
                }
            }
            Ok(page) => {
                for event in page.events {
                    at = event.position;
                    // Nobody may listen at the moment.
                    let _nobody = sender.send(Arc::new(event));
                }
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the journal cannot be read; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
