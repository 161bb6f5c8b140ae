//! The task that reads, puts transactions in progress together, and hands on what is committed.

use std::sync::Arc;
use std::time::Duration;

use atalaya_data::Lsn;
use atalaya_pgwire::pgoutput::{Decoder, Message};
use atalaya_postgres::wire::{ReplicationEvent, ReplicationStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use super::StreamOpener;
use super::assembly::{Assembly, Held, Play, SpillOptions, Taken};
use super::line::Line;
use crate::Error;
use crate::spool::{self, Next};

/// Messages handed over at once.
const BATCH: usize = 512;
/// Batches that may wait; their bytes are bounded apart.
const QUEUE: usize = 64;
/// What a decoded message holds besides its payload.
const OVERHEAD: usize = 256;

/// What arrived.
pub(crate) enum Arrival {
    /// A decoded message.
    Message(Message),
    /// The source has sent everything before this position.
    Idle(Lsn),
}

/// Several arrivals, with the room in the queue that they take.
pub(crate) struct Batch {
    pub(crate) arrivals: Vec<Arrival>,
    _room: OwnedSemaphorePermit,
}

/// A handle to the task.
pub(crate) struct Reader {
    batches: mpsc::Receiver<Batch>,
    acknowledged: watch::Sender<Lsn>,
    /// The same for whoever deletes from a spool what is applied; the source may have been told more there.
    applied: Option<watch::Sender<Lsn>>,
    held: watch::Receiver<Held>,
    task: JoinHandle<Result<(), Error>>,
}

impl Reader {
    /// Starts reading; at most about `queue_bytes` wait at a time (more only for a single larger row).
    pub(crate) fn start(stream: ReplicationStream, start: Lsn, queue_bytes: usize, spill: SpillOptions) -> Self {
        let (queue, batches) = Queue::new(queue_bytes);
        let (acknowledged, acknowledgement) = watch::channel(start);
        let assembly = Assembly::new(spill);
        let held = assembly.held();
        let reading = Reading { line: Line::new(stream, acknowledgement), assembly, queue };
        Self { batches, acknowledged, applied: None, held, task: tokio::spawn(reading.run()) }
    }

    /// Starts reading from a spool, and goes over to the source where the spool ends.
    pub(crate) fn start_spooled(
        spool: spool::Receiver,
        opener: StreamOpener,
        start: Lsn,
        queue_bytes: usize,
        spill: SpillOptions,
    ) -> Self {
        let (mut queue, batches) = Queue::new(queue_bytes);
        let acknowledged = watch::Sender::new(start);
        let (applied, told) = (Some(spool.applied()), acknowledged.clone());
        let assembly = Assembly::new(spill);
        let held = assembly.held();
        let task = tokio::spawn(async move {
            let Some((position, received)) = read_spool(spool, &mut queue).await? else { return Ok(()) };
            // What the source was told once is never taken back.
            advance(&told, received);
            let line = Line::new(opener.open(position).await?, told.subscribe());
            // The assembly has seen nothing yet: a spool holds whole transactions.
            Reading { line, assembly, queue }.run().await
        });
        Self { batches, acknowledged, applied, held, task }
    }

    /// What is kept of transactions that are not committed yet.
    pub(crate) fn held(&self) -> Held {
        *self.held.borrow()
    }

    /// The next batch; waits for one.
    ///
    /// # Errors
    /// Why the stream ended.
    pub(crate) async fn next(&mut self) -> Result<Batch, Error> {
        match self.batches.recv().await {
            Some(batch) => Ok(batch),
            None => match (&mut self.task).await {
                Ok(Err(error)) => Err(error),
                Ok(Ok(())) | Err(_) => Err(Error::Broken("the replication stream ended")),
            },
        }
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Tells the source what it may forget: only ever a position that is stored and flushed on the target.
    pub(crate) fn acknowledge(&self, position: Lsn) {
        advance(&self.acknowledged, position);
        if let Some(applied) = &self.applied {
            advance(applied, position);
        }
    }

    /// Ends reading after a last word to the source.
    pub(crate) async fn finish(self) {
        drop(self.batches);
        let _ended = tokio::time::timeout(Duration::from_secs(5), self.task).await;
    }
}

fn advance(position: &watch::Sender<Lsn>, to: Lsn) {
    position.send_if_modified(|position| to > std::mem::replace(position, to.max(*position)));
}

/// Hands on what a spool holds: where to go on reading, and what the source was told; none when nobody follows.
async fn read_spool(mut spool: spool::Receiver, queue: &mut Queue) -> Result<Option<(Lsn, Lsn)>, Error> {
    let mut decoder = Decoder::new();
    loop {
        let next = tokio::select! {
            next = spool.next() => next?,
            () = queue.sender.closed() => return Ok(None),
        };
        let events = match next {
            Next::Events(events) => events,
            Next::Source { position, acknowledged } => return Ok(Some((position, acknowledged))),
        };
        for event in events {
            match event {
                ReplicationEvent::Keepalive { wal_end, .. } => queue.push_idle(wal_end),
                ReplicationEvent::Data { payload, .. } => {
                    let bytes = payload.len();
                    queue.push(Arrival::Message(decoder.decode(payload)?), bytes);
                }
            }
        }
        tokio::select! {
            sent = queue.send() => sent?,
            failed = spool.failed() => return Err(failed),
        };
    }
}

/// What the task holds.
struct Reading {
    line: Line,
    assembly: Assembly,
    queue: Queue,
}

/// Arrivals on their way to whoever follows.
struct Queue {
    sender: mpsc::Sender<Batch>,
    room: Arc<Semaphore>,
    queue_bytes: usize,
    arrivals: Vec<Arrival>,
    bytes: usize,
}

impl Reading {
    async fn run(mut self) -> Result<(), Error> {
        while let Some(event) = self.line.next(self.queue.sender.closed()).await? {
            let mut reply = self.take(event).await?;
            while !self.queue.is_full()
                && let Some(event) = self.line.next_in_memory()?
            {
                reply |= self.take(event).await?;
            }
            if reply {
                self.line.send_status().await?;
            }
            self.queue.hand_over(&mut self.line).await?;
        }
        self.line.finish().await
    }

    /// Takes an event; true when the source wants an answer.
    async fn take(&mut self, event: ReplicationEvent) -> Result<bool, Error> {
        match event {
            ReplicationEvent::Data { payload, .. } => {
                let bytes = payload.len();
                match self.line.while_waiting(self.assembly.take(payload)).await?? {
                    Taken::Kept => {}
                    Taken::Message(message) => self.queue.push(Arrival::Message(message), bytes),
                    Taken::Committed(play) => self.play(*play).await?,
                }
                Ok(false)
            }
            ReplicationEvent::Keepalive { wal_end, reply_requested } => {
                self.queue.push_idle(wal_end);
                Ok(reply_requested)
            }
        }
    }

    /// Hands over a whole transaction, as far as there is room for it at a time.
    async fn play(&mut self, mut play: Play) -> Result<(), Error> {
        while let Some((message, bytes)) = self.line.while_waiting(play.next()).await?? {
            self.queue.push(Arrival::Message(message), bytes);
            if self.queue.is_full() && self.queue.hand_over(&mut self.line).await? == Receiver::Gone {
                break;
            }
        }
        Ok(())
    }
}

/// Whether somebody still follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiver {
    There,
    Gone,
}

impl Queue {
    fn new(queue_bytes: usize) -> (Self, mpsc::Receiver<Batch>) {
        let (sender, batches) = mpsc::channel(QUEUE);
        let room = Arc::new(Semaphore::new(queue_bytes));
        (Self { sender, room, queue_bytes, arrivals: Vec::new(), bytes: 0 }, batches)
    }

    fn is_full(&self) -> bool {
        self.arrivals.len() >= BATCH || self.bytes >= self.queue_bytes / 8
    }

    fn push(&mut self, arrival: Arrival, bytes: usize) {
        self.bytes += bytes + OVERHEAD;
        self.arrivals.push(arrival);
    }

    fn push_idle(&mut self, position: Lsn) {
        // Several keepalives in a row say no more than the last.
        match self.arrivals.last_mut() {
            Some(Arrival::Idle(last)) => *last = position,
            _ => self.push(Arrival::Idle(position), 0),
        }
    }

    /// Sends what was pushed and answers the source meanwhile.
    async fn hand_over(&mut self, line: &mut Line) -> Result<Receiver, Error> {
        line.while_waiting(self.send()).await?
    }

    /// Sends what was pushed, once there is room for it. When nobody reads any more, the next wait for an event ends.
    async fn send(&mut self) -> Result<Receiver, Error> {
        let arrivals = std::mem::take(&mut self.arrivals);
        let bytes = std::mem::take(&mut self.bytes);
        if arrivals.is_empty() {
            return Ok(Receiver::There);
        }
        // A row larger than the whole queue takes all of it.
        let wanted = u32::try_from(bytes.clamp(1, self.queue_bytes)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.room).acquire_many_owned(wanted).await;
        let batch = Batch { arrivals, _room: permit.map_err(|_| Error::Broken("the queue was closed"))? };
        Ok(if self.sender.send(batch).await.is_ok() { Receiver::There } else { Receiver::Gone })
    }
}
