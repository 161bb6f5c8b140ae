//! Drives every saga of a journal: those that are started, those that others left behind, those whose time has come.
//!
//! Each saga is a task of its own: one that fails, panics or is bound to an unknown definition keeps no other from going on.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use atalaya_eventstore::{Batch, Event, EventType, Selection, Share, Subscribe, Subscription};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinHandle, JoinSet};

use crate::driver::{Driven, Owner};
use crate::event::WAKING_TYPES;
use crate::sagas::{Inner, Sagas, is_over};
use crate::{Error, SagaId};

const BATCH: u32 = 1000;
/// When nothing is due, look again after so long.
const IDLE: std::time::Duration = std::time::Duration::from_secs(3600);

/// A saga that cannot be driven as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which one.
    pub id: SagaId,
    /// Its kind.
    pub definition: String,
    /// The revision that it is bound to, and that this program does not have.
    pub revision: u32,
}

/// Drives sagas until it is told to stop.
pub struct Coordinator {
    subscription: Subscription,
    at_work: AtWork,
}

/// What is open, ready, under way and waited for.
struct AtWork {
    inner: Arc<Inner>,
    owner: Owner,
    /// Started and not ended, as far as the journal was read.
    open: HashSet<SagaId>,
    ready: VecDeque<SagaId>,
    waiting: HashSet<SagaId>,
    running: HashMap<Id, SagaId>,
    /// Running, and written to by others meanwhile: to be looked at again.
    again: HashSet<SagaId>,
    due: BinaryHeap<Reverse<(Instant, SagaId)>>,
    tasks: JoinSet<Result<Driven, Error>>,
    refused: watch::Sender<Vec<Refused>>,
}

impl Coordinator {
    /// Reads which sagas are open. Nothing is driven before [`Coordinator::run`].
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn open(sagas: &Sagas) -> Result<Self, Error> {
        let owner = sagas.inner.new_owner();
        let types = WAKING_TYPES.iter().filter_map(|name| EventType::new(*name).ok()).collect();
        let subscribe = Subscribe {
            name: format!("sagas {}", owner.name),
            selection: Selection::Types(types),
            share: Share::WHOLE,
            after: None,
            batch: BATCH,
        };
        let head = sagas.inner.store.head().await?;
        let mut subscription = sagas.inner.store.subscribe(subscribe).await?;
        let mut at_work = AtWork {
            inner: Arc::clone(&sagas.inner),
            owner,
            open: HashSet::new(),
            ready: VecDeque::new(),
            waiting: HashSet::new(),
            running: HashMap::new(),
            again: HashSet::new(),
            due: BinaryHeap::new(),
            tasks: JoinSet::new(),
            refused: watch::Sender::new(Vec::new()),
        };
        while subscription.position() < head {
            let batch = subscription.next().await?;
            batch.events.iter().for_each(|event| at_work.hear(event));
        }
        Ok(Self { subscription, at_work })
    }

    /// Sagas that are bound to definitions that this program does not have, as they are found. They are left alone.
    #[must_use]
    pub fn refused(&self) -> watch::Receiver<Vec<Refused>> {
        self.at_work.refused.subscribe()
    }

    /// Drives sagas until `stop` becomes true or its sender is gone. Steps that are under way are broken off then: they are
    /// asked for again, by the same keys, whenever sagas are driven next.
    ///
    /// # Errors
    /// When the journal cannot be read for good.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), Error> {
        let Self { subscription, mut at_work } = self;
        let mut heard = listen(subscription);
        loop {
            at_work.begin_tasks();
            let now = Instant::now();
            let next_due = at_work.due.peek().map_or(now + IDLE, |Reverse((due, _))| *due);
            tokio::select! {
                () = stopped(&mut stop) => {
                    at_work.tasks.shutdown().await;
                    return Ok(());
                }
                batch = heard.batches.recv() => {
                    let batch = batch.unwrap_or(Err(atalaya_eventstore::Error::Closed))?;
                    batch.events.iter().for_each(|event| at_work.hear(event));
                }
                Some(joined) = at_work.tasks.join_next_with_id(), if !at_work.tasks.is_empty() => at_work.joined(joined),
                () = tokio::time::sleep_until(next_due.into()) => at_work.wake_due(),
            }
        }
    }
}

/// Batches of a subscription that is read in a task of its own: a reading that is broken off each time that something else
/// happens would cost a connection.
struct Heard {
    batches: mpsc::Receiver<Result<Batch, atalaya_eventstore::Error>>,
    reading: JoinHandle<()>,
}

impl Drop for Heard {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

fn listen(mut subscription: Subscription) -> Heard {
    let (sender, batches) = mpsc::channel(1);
    let reading = tokio::spawn(async move {
        loop {
            let batch = subscription.next().await;
            let failed = batch.is_err();
            if sender.send(batch).await.is_err() || failed {
                return;
            }
        }
    });
    Heard { batches, reading }
}

impl AtWork {
    fn hear(&mut self, event: &Event) {
        let Some(id) = SagaId::of_stream(&event.stream) else { return };
        match event.event_type.as_str() {
            "SagaCompleted" | "SagaCompensated" | "SagaAbandoned" => {
                self.open.remove(&id);
                self.inner.silence.forget(&id);
            }
            _ => {
                if event.event_type.as_str() == "SagaStarted" {
                    self.open.insert(id.clone());
                }
                self.wake(id);
            }
        }
    }

    fn wake(&mut self, id: SagaId) {
        if !self.open.contains(&id) {
            return;
        }
        if self.running.values().any(|running| *running == id) {
            self.again.insert(id);
        } else if self.waiting.insert(id.clone()) {
            self.ready.push_back(id);
        }
    }

    fn wake_due(&mut self) {
        let now = Instant::now();
        while let Some(Reverse((due, _))) = self.due.peek()
            && *due <= now
            && let Some(Reverse((_, id))) = self.due.pop()
        {
            self.wake(id);
        }
    }

    fn begin_tasks(&mut self) {
        while self.running.len() < self.inner.options.at_once.max(1)
            && let Some(id) = self.ready.pop_front()
        {
            self.waiting.remove(&id);
            if !self.open.contains(&id) {
                continue;
            }
            let (inner, owner, of) = (Arc::clone(&self.inner), self.owner.clone(), id.clone());
            let task = self.tasks.spawn(async move { inner.drive(&of, &owner).await });
            self.running.insert(task.id(), id);
        }
    }

    fn joined(&mut self, joined: Result<(Id, Result<Driven, Error>), JoinError>) {
        let (task, driven) = match joined {
            Ok((task, driven)) => (task, Some(driven)),
            Err(broken) => (broken.id(), None),
        };
        let Some(id) = self.running.remove(&task) else { return };
        let pause = self.inner.options.pause;
        let again = self.again.remove(&id);
        match driven {
            Some(Ok(Driven::Over(phase))) => {
                if is_over(&phase) {
                    self.open.remove(&id);
                } else {
                    tracing::warn!(saga = %id, "the saga is stuck: a person has to decide");
                }
            }
            Some(Ok(Driven::Parked(wait) | Driven::Owned(wait))) => {
                self.due.push(Reverse((Instant::now() + wait, id.clone())));
            }
            Some(Ok(Driven::Signal)) => {}
            Some(Err(Error::Changed { id, definition, revision })) => {
                let refused = Refused { id, definition, revision };
                self.refused.send_if_modified(|all| {
                    let new = !all.contains(&refused);
                    if new {
                        tracing::error!(
                            saga = %refused.id, definition = refused.definition, revision = refused.revision,
                            "the saga is bound to a definition that this program does not have"
                        );
                        all.push(refused);
                    }
                    new
                });
            }
            Some(Err(error)) => {
                tracing::error!(saga = %id, error = &error as &dyn std::error::Error, "the saga could not be driven");
                self.due.push(Reverse((Instant::now() + pause, id.clone())));
            }
            None => self.due.push(Reverse((Instant::now() + pause, id.clone()))),
        }
        if again {
            self.wake(id);
        }
    }
}

/// Returns when it is asked to stop, or nobody is left who could ask.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _sender_gone = stop.wait_for(|stop| *stop).await.map(|_| ());
}
