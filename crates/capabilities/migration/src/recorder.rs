//! Writes down what a run says, beside it: the run never waits for the journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::{Error, MigrationEvent, Operation, Reached};

/// The most that waits to be written; what comes on top is counted, and the count is written.
const QUEUE: usize = 1024;
/// The most events of one append.
const BATCH: usize = 256;
/// How long the last of it may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);

enum Said {
    Happened(MigrationEvent),
    Reached(Reached),
}

/// Takes what a run says.
pub struct Recorder {
    queue: mpsc::Sender<Said>,
    lost: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Recorder {
    /// Records for an operation. `trouble` is told when the journal cannot be written, once each time that it begins.
    #[must_use]
    pub fn start(operation: Operation, trouble: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        let (queue, heard) = mpsc::channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer { operation, lost: Arc::clone(&lost), trouble: Box::new(trouble), troubled: false };
        Self { queue, lost, task: tokio::spawn(writer.write(heard)) }
    }

    /// Takes an event; never waits.
    pub fn happened(&self, event: MigrationEvent) {
        if self.queue.try_send(Said::Happened(event)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes how far the run has come; never waits. What is lost of it is made up for by the next run.
    pub fn reached(&self, reached: Reached) {
        let _full = self.queue.try_send(Said::Reached(reached));
    }

    /// Returns once everything that was said by now has been taken out of the queue.
    pub async fn until_taken(&self) {
        let _gone = self.queue.reserve_many(QUEUE).await;
    }

    /// Writes the rest and a last event, for a while at most.
    pub async fn close(self, last: MigrationEvent) {
        let Self { queue, mut task, .. } = self;
        let closing = async {
            let _gone = queue.send(Said::Happened(last)).await;
            drop(queue);
            (&mut task).await
        };
        if tokio::time::timeout(CLOSE_LIMIT, closing).await.is_err() {
            task.abort();
        }
    }
}

struct Writer {
    operation: Operation,
    lost: Arc<AtomicU64>,
    trouble: Box<dyn Fn(&Error) + Send + Sync>,
    troubled: bool,
}

impl Writer {
    async fn write(mut self, mut heard: mpsc::Receiver<Said>) {
        let mut batch = Vec::with_capacity(BATCH);
        while heard.recv_many(&mut batch, BATCH).await > 0 {
            let mut events = Vec::with_capacity(batch.len());
            let mut furthest = None;
            for said in batch.drain(..) {
                match said {
                    Said::Happened(event) => events.push(event),
                    Said::Reached(reached) => furthest = furthest.max(Some(reached)),
                }
            }
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                events.push(MigrationEvent::Unrecorded { events: lost });
            }
            if let Err(error) = self.operation.note(&events).await {
                let unrecorded = lost + events.len() as u64 - u64::from(lost > 0);
                self.lost.fetch_add(unrecorded, Ordering::Relaxed);
                self.tell(&error);
                continue;
            }
            if let Some(reached) = furthest
                && let Err(error) = self.operation.reached(reached).await
            {
                self.tell(&error);
                continue;
            }
            self.troubled = false;
        }
    }

    fn tell(&mut self, error: &Error) {
        if !std::mem::replace(&mut self.troubled, true) {
            (self.trouble)(error);
        }
    }
}
