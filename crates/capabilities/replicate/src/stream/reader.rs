//! The task that reads and decodes.

use std::sync::Arc;
use std::time::Duration;

use atalaya_data::Lsn;
use atalaya_pgwire::pgoutput::{self, Message};
use atalaya_postgres::wire::{ReplicationEvent, ReplicationStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use super::StreamOpener;
use crate::Error;
use crate::spool::{Next, Receiver};

/// How often the source hears from us while nothing else is said.
const STATUS_EVERY: Duration = Duration::from_secs(5);
/// Messages handed over at once.
const BATCH: usize = 512;
/// Batches that may wait; their bytes are bounded apart.
const QUEUE: usize = 64;

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
    /// The same for whoever deletes what is applied from a spool; there what the source is told may be further.
    applied: Option<watch::Sender<Lsn>>,
    task: JoinHandle<Result<(), Error>>,
}

impl Reader {
    /// Starts reading; at most about `queue_bytes` wait at a time (more only for a single larger row).
    pub(crate) fn start(stream: ReplicationStream, start: Lsn, queue_bytes: usize) -> Self {
        let (sender, batches) = mpsc::channel(QUEUE);
        let (acknowledged, acknowledgement) = watch::channel(start);
        let room = Arc::new(Semaphore::new(queue_bytes));
        let task = tokio::spawn(read(stream, sender, acknowledgement, room, queue_bytes));
        Self { batches, acknowledged, applied: None, task }
    }

    /// Starts reading from a spool, and goes over to the source where both meet.
    pub(crate) fn start_spooled(receiver: Receiver, opener: StreamOpener, start: Lsn, queue_bytes: usize) -> Self {
        let (sender, batches) = mpsc::channel(QUEUE);
        let acknowledged = watch::Sender::new(start);
        let applied = Some(receiver.applied());
        let told = acknowledged.clone();
        let task = tokio::spawn(async move {
            let room = Arc::new(Semaphore::new(queue_bytes));
            let Some((position, received)) = read_spool(receiver, &sender, &room, queue_bytes).await? else {
                return Ok(());
            };
            // What the source was told once must not be taken back.
            advance(&told, received);
            let stream = opener.open(position).await?;
            read(stream, sender, told.subscribe(), room, queue_bytes).await
        });
        Self { batches, acknowledged, applied, task }
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

/// Reads a spool to its end: where to go on reading, and what the source was told; none when nobody reads any more.
async fn read_spool(
    mut spool: Receiver,
    sender: &mpsc::Sender<Batch>,
    room: &Arc<Semaphore>,
    queue_bytes: usize,
) -> Result<Option<(Lsn, Lsn)>, Error> {
    let mut decoder = pgoutput::Decoder::new();
    loop {
        let next = tokio::select! {
            next = spool.next() => next?,
            () = sender.closed() => return Ok(None),
        };
        let events = match next {
            Next::Events(events) => events,
            Next::Source { position, acknowledged } => return Ok(Some((position, acknowledged))),
        };
        let (mut arrivals, mut bytes) = (Vec::new(), 0);
        for event in events {
            take(&mut decoder, event, &mut arrivals, &mut bytes)?;
        }
        let wanted = u32::try_from(bytes.clamp(1, queue_bytes)).unwrap_or(u32::MAX);
        let sent = async {
            let permit = Arc::clone(room).acquire_many_owned(wanted).await;
            let permit = permit.map_err(|_| Error::Broken("the queue was closed"))?;
            // Nobody reads any more: the next turn says goodbye.
            let _closed = sender.send(Batch { arrivals, _room: permit }).await;
            Ok::<_, Error>(())
        };
        tokio::select! {
            sent = sent => sent?,
            failed = spool.failed() => return Err(failed),
        }
    }
}

async fn read(
    mut stream: ReplicationStream,
    sender: mpsc::Sender<Batch>,
    mut acknowledgement: watch::Receiver<Lsn>,
    room: Arc<Semaphore>,
    queue_bytes: usize,
) -> Result<(), Error> {
    let mut decoder = pgoutput::Decoder::new();
    let mut status = tokio::time::interval(STATUS_EVERY);
    loop {
        let event = tokio::select! {
            event = stream.next() => event?,
            _ = status.tick() => {
                let flushed = *acknowledgement.borrow();
                stream.send_status(flushed, false).await?;
                continue;
            }
            Ok(()) = acknowledgement.changed() => {
                let flushed = *acknowledgement.borrow_and_update();
                stream.send_status(flushed, false).await?;
                continue;
            }
            () = sender.closed() => {
                let flushed = *acknowledgement.borrow();
                stream.send_status(flushed, false).await?;
                stream.finish().await;
                return Ok(());
            }
        };
        let mut arrivals = Vec::new();
        let mut bytes = 0;
        let mut reply = take(&mut decoder, event, &mut arrivals, &mut bytes)?;
        while arrivals.len() < BATCH && bytes < queue_bytes / 8 && stream.has_complete_message() {
            match stream.try_next()? {
                Some(event) => reply |= take(&mut decoder, event, &mut arrivals, &mut bytes)?,
                None => break,
            }
        }
        if reply {
            let flushed = *acknowledgement.borrow();
            stream.send_status(flushed, false).await?;
        }
        if arrivals.is_empty() {
            continue;
        }
        // A row larger than the whole queue takes all of it.
        let wanted = u32::try_from(bytes.clamp(1, queue_bytes)).unwrap_or(u32::MAX);
        let waiting = Arc::clone(&room).acquire_many_owned(wanted);
        tokio::pin!(waiting);
        let permit = loop {
            tokio::select! {
                permit = &mut waiting => break permit.map_err(|_| Error::Broken("the queue was closed"))?,
                _ = status.tick() => {
                    let flushed = *acknowledgement.borrow();
                    stream.send_status(flushed, false).await?;
                }
            }
        };
        let batch = Batch { arrivals, _room: permit };
        let sending = sender.send(batch);
        tokio::pin!(sending);
        loop {
            tokio::select! {
                sent = &mut sending => match sent {
                    Ok(()) => break,
                    // Nobody reads any more: the next turn of the loop says goodbye.
                    Err(_) => break,
                },
                _ = status.tick() => {
                    let flushed = *acknowledgement.borrow();
                    stream.send_status(flushed, false).await?;
                }
            }
        }
    }
}

/// Decodes an event; true when the source wants an answer.
fn take(
    decoder: &mut pgoutput::Decoder,
    event: ReplicationEvent,
    arrivals: &mut Vec<Arrival>,
    bytes: &mut usize,
) -> Result<bool, Error> {
    /// What a decoded message holds besides its payload.
    const OVERHEAD: usize = 256;
    match event {
        ReplicationEvent::Data { payload, .. } => {
            *bytes += payload.len() + OVERHEAD;
            arrivals.push(Arrival::Message(decoder.decode(payload)?));
            Ok(false)
        }
        ReplicationEvent::Keepalive { wal_end, reply_requested } => {
            *bytes += OVERHEAD;
            // Several keepalives in a row say no more than the last.
            if let Some(Arrival::Idle(position)) = arrivals.last_mut() {
                *position = wal_end;
            } else {
                arrivals.push(Arrival::Idle(wal_end));
            }
            Ok(reply_requested)
        }
    }
}
