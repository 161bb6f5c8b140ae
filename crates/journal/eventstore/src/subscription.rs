//! Following the journal: first what is there, then what comes, from where a subscriber was left.
//!
//! Nothing is read before it is asked for, so a slow subscriber costs no memory. Every event is delivered at least once
//! and in order; a subscriber that must not do a thing twice stores its checkpoint where it stores what it did.

use std::sync::Arc;

use crate::chain::Digest;
use crate::store::Inner;
use crate::{Direction, Error, Event, Position, Read, Selection, StreamName};

/// Which part of the streams a worker takes: those whose names' hashes fall to it. All of a stream falls to one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Which worker this is, from 0.
    pub worker: u32,
    /// How many there are.
    pub workers: u32,
}

impl Share {
    /// One worker takes all.
    pub const WHOLE: Self = Self { worker: 0, workers: 1 };

    /// Whether a stream falls to this worker; the same on every machine and in every version.
    #[must_use]
    pub fn takes(self, stream: &StreamName) -> bool {
        if self.workers <= 1 {
            return true;
        }
        let digest = Digest::of(&[stream.as_str().as_bytes()]);
        let number = digest.as_bytes().first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        number % u64::from(self.workers) == u64::from(self.worker)
    }
}

/// What is subscribed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// The name that the checkpoint is stored under.
    pub name: String,
    /// Which events; of one stream alone there is no subscription.
    pub selection: Selection,
    /// Which part of them.
    pub share: Share,
    /// Where to begin, for a subscriber that keeps its checkpoint itself; none: where its stored one is.
    pub after: Option<Position>,
    /// The most events of one batch.
    pub batch: u32,
}

impl Subscribe {
    /// The whole journal, by one worker, in batches of 512 events.
    #[must_use]
    pub fn to_all(name: impl Into<String>) -> Self {
        Self { name: name.into(), selection: Selection::All, share: Share::WHOLE, after: None, batch: 512 }
    }
}

/// The next events of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Events in order; none where all that came belongs to others or was not selected.
    pub events: Vec<Event>,
    /// Everything up to here was delivered or is not for this subscriber.
    pub through: Position,
}

/// Under what a checkpoint is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CheckpointKey {
    pub(crate) name: String,
    pub(crate) worker: u32,
    pub(crate) workers: u32,
}

/// Where a subscriber was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) position: Position,
    /// Whether it is this worker's own, rather than that of a set of workers of another number before it.
    pub(crate) own: bool,
}

impl Checkpoint {
    /// Refuses one that the journal has not reached, or whose event is another one now.
    pub(crate) fn judge(position: Position, head: Position, same: bool) -> Result<(), Error> {
        if position > head {
            return Err(Error::BeyondHead { position, head });
        }
        if same { Ok(()) } else { Err(Error::OtherHistory { position }) }
    }
}

/// A subscriber's place in the journal.
pub struct Subscription {
    inner: Arc<Inner>,
    key: CheckpointKey,
    subscribe: Subscribe,
    /// Everything up to here was handed out.
    cursor: Position,
    /// What is stored, if anything.
    checkpoint: Position,
}

impl Subscription {
    pub(crate) async fn open(inner: Arc<Inner>, subscribe: Subscribe) -> Result<Self, Error> {
        let Share { worker, workers } = subscribe.share;
        if worker >= workers {
            return Err(Error::Share { worker, workers });
        }
        if matches!(subscribe.selection, Selection::Stream(_)) {
            return Err(Error::Unsuitable { reason: "a subscription is to categories or types, not to one stream" });
        }
        let key = CheckpointKey { name: subscribe.name.clone(), worker, workers };
        let found = inner.backend.checkpoint(key.clone()).await?;
        let mut cursor = found.map_or(Position::START, |found| found.position);
        if let Some(after) = subscribe.after {
            Checkpoint::judge(after, inner.backend.head().await?.position, true)?;
            cursor = after;
        }
        let checkpoint = found.filter(|found| found.own).map_or(Position::START, |found| found.position);
        Ok(Self { inner, key, subscribe, cursor, checkpoint })
    }

    /// Where the next batch begins: after this position.
    #[must_use]
    pub fn position(&self) -> Position {
        self.cursor
    }

    /// The next batch; waits until there is one. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When the journal is shorter than what was delivered of it, or an event cannot be read.
    pub async fn next(&mut self) -> Result<Batch, Error> {
        loop {
            // Before the page: what it then holds goes up to here at least, whatever the selection leaves out.
            let head = self.inner.backend.head().await?.position;
            if head < self.cursor {
                return Err(Error::BeyondHead { position: self.cursor, head });
            }
            if head == self.cursor {
                self.inner.backend.grown(self.cursor).await?;
                continue;
            }
            return self.batch(head).await;
        }
    }

    async fn batch(&mut self, head: Position) -> Result<Batch, Error> {
        let read = Read {
            selection: self.subscribe.selection.clone(),
            direction: Direction::Forward,
            from: Some(self.cursor.next().number()),
            limit: self.subscribe.batch,
        };
        let page = self.inner.page(read).await?;
        let last = page.events.last().map_or(self.cursor, |event| event.position);
        let through = if page.next.is_some() { last } else { last.max(head) };
        let share = self.subscribe.share;
        let events = page.events.into_iter().filter(|event| share.takes(&event.stream)).collect();
        self.cursor = through;
        Ok(Batch { events, through })
    }

    /// Stores that everything up to a position is done: a subscription of the same name goes on after it.
    ///
    /// # Errors
    /// When another subscriber has moved the checkpoint, or it cannot be stored.
    pub async fn store(&mut self, through: Position) -> Result<(), Error> {
        let moved = self.inner.backend.move_checkpoint(self.key.clone(), self.checkpoint, through).await?;
        moved.map_err(|found| Error::CheckpointMoved {
            name: self.key.name.clone(),
            expected: self.checkpoint,
            found,
        })?;
        self.checkpoint = through;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_falls_to_exactly_one_worker_and_to_the_same_one_for_ever() {
        for number in 0..100 {
            let stream = StreamName::new(format!("order-{number}")).unwrap();
            let takers = (0..3).filter(|worker| Share { worker: *worker, workers: 3 }.takes(&stream)).count();
            assert_eq!(takers, 1);
        }
        // Stored checkpoints rest on this.
        let first = Share { worker: 0, workers: 2 };
        let takes = |name: &str| first.takes(&StreamName::new(name).unwrap());
        assert_eq!(["a-0", "a-1", "a-2", "a-3"].map(takes), [false, false, false, true]);
    }
}
