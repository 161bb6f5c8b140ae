//! The task that fills a spool: it reads the source's stream beside the copy, and goes on until the reader of the spool
//! has met it.
//!
//! A connection that breaks is opened again here, so that it does not cost the copy its work. The order that nothing
//! may change: fsync, then `received` on the target, then the acknowledgement.

use std::sync::Arc;
use std::time::Duration;

use atalaya_data::Lsn;
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_postgres::wire::{ReplicationEvent, ReplicationStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::Acknowledgement;
use super::drain::{Drain, Next};
use super::shared::{Kept, Shared};
use super::writer::{Flushed, Writer};
use crate::progress::{Migration, SpoolFigures, Store, check_position, check_source};
use crate::report::{Event, Observer};
use crate::stream::{InProgress, StreamOpener};
use crate::{Error, Failpoints};

/// How often the source hears from us while nothing else is said.
const STATUS_EVERY: Duration = Duration::from_secs(5);
/// How often what was received is made safe and told.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// Bytes taken before they are written.
const BATCH_BYTES: usize = 1 << 20;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What a receiver needs to know.
pub(super) struct Context {
    pub(super) source: ConnectionUrl,
    pub(super) target: ConnectionUrl,
    pub(super) migration: Migration,
    pub(super) spool: String,
    pub(super) acknowledgement: Acknowledgement,
    pub(super) limit_bytes: u64,
    pub(super) reconnects: u32,
    pub(super) failpoints: Failpoints,
}

/// What the receiver's task says to whoever runs the move.
pub(crate) struct Notes(mpsc::UnboundedReceiver<String>);

impl Notes {
    /// Passes warnings on; never ends.
    pub(crate) async fn pass_on<T>(&mut self, observer: &dyn Observer) -> T {
        while let Some(text) = self.0.recv().await {
            observer.observe(&Event::Warning { text });
        }
        std::future::pending().await
    }
}

/// A running receiver with the reader of its spool. The task ends when this is dropped.
pub(crate) struct Receiver {
    shared: Arc<Shared>,
    complete: watch::Receiver<super::shared::Complete>,
    hands_over: watch::Sender<bool>,
    applied: watch::Sender<Lsn>,
    task: JoinSet<Result<Handed, Error>>,
    handed: Option<Handed>,
    drain: Option<Drain>,
}

/// How a receiver's work ended.
#[derive(Clone, Copy, Debug)]
struct Handed {
    position: Lsn,
    acknowledged: Lsn,
}

impl Receiver {
    /// Starts receiving; `stored` is what the source may have been told that we have.
    pub(super) fn start(context: Context, writer: Writer, applied: Lsn, stored: Lsn) -> (Self, Notes) {
        let shared = Arc::clone(writer.shared());
        let (notes, told) = mpsc::unbounded_channel();
        let (hands_over, wanted) = watch::channel(false);
        let (applied_sender, applied_receiver) = watch::channel(applied);
        let task = Task {
            context,
            position: writer.position(),
            writer: Some(writer),
            wanted,
            applied: applied_receiver,
            stored,
            notes,
            is_full: false,
            has_warned: false,
            figures: None,
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(task.run());
        let receiver = Self {
            complete: shared.complete.subscribe(),
            drain: Some(Drain::new(Arc::clone(&shared), applied)),
            shared,
            hands_over,
            applied: applied_sender,
            task: tasks,
            handed: None,
        };
        (receiver, Notes(told))
    }

    /// Why receiving failed; waits for ever while it goes on, and when it has ended as it should.
    pub(crate) async fn failed(&mut self) -> Error {
        match self.task.join_next().await {
            Some(Ok(Err(error))) => return error,
            Some(Ok(Ok(handed))) => self.handed = Some(handed),
            Some(Err(_)) => return ENDED,
            None => {}
        }
        std::future::pending().await
    }

    /// Where to say what is applied and on the target's disk.
    pub(crate) fn applied(&self) -> watch::Sender<Lsn> {
        self.applied.clone()
    }

    /// What outlives the receiver: the files.
    pub(crate) fn kept(&self) -> Kept {
        Kept(Arc::clone(&self.shared))
    }

    /// What comes next; waits for it. Dropping the future ends the reading.
    ///
    /// # Errors
    /// Why the receiver ended, or that the spool cannot be read.
    pub(crate) async fn next(&mut self) -> Result<Next, Error> {
        loop {
            let end = *self.complete.borrow_and_update();
            let mut drain = self.drain.take().ok_or(Error::Broken("the reading of the spool was given up"))?;
            if !drain.is_at(&end) {
                let reading = tokio::task::spawn_blocking(move || {
                    let events = drain.read(&end);
                    (drain, events)
                });
                let (drain, events) = reading.await.map_err(|_| Error::Broken("the spool's reader ended"))?;
                self.drain = Some(drain);
                let events = events?;
                if !events.is_empty() {
                    return Ok(Next::Events(events));
                }
                continue;
            }
            self.drain = Some(drain);
            if let Some(handed) = self.handed {
                self.shared.hand_over(handed.position);
                return Ok(Next::Source { position: handed.position, acknowledged: handed.acknowledged });
            }
            self.hands_over.send_replace(true);
            tokio::select! {
                Ok(()) = self.complete.changed() => {}
                ended = self.task.join_next() => match ended {
                    Some(Ok(handed)) => self.handed = Some(handed?),
                    Some(Err(_)) | None => return Err(ENDED),
                },
            }
        }
    }
}

struct Task {
    context: Context,
    /// Elsewhere while a disk is waited for.
    writer: Option<Writer>,
    position: Lsn,
    wanted: watch::Receiver<bool>,
    applied: watch::Receiver<Lsn>,
    /// Stored on the target as received.
    stored: Lsn,
    notes: mpsc::UnboundedSender<String>,
    is_full: bool,
    has_warned: bool,
    figures: Option<SpoolFigures>,
}

impl Task {
    /// Receives over as many connections as it takes.
    async fn run(mut self) -> Result<Handed, Error> {
        let (mut attempt, mut pause) = (0, FIRST_PAUSE);
        loop {
            let before = self.position;
            let error = match self.receive().await {
                Ok(()) => return Ok(self.handed()),
                Err(error) if error.is_transient() => error,
                Err(error) => return Err(error),
            };
            self.on_writer(None, Writer::cut).await?;
            if self.position > before {
                (attempt, pause) = (0, FIRST_PAUSE);
            }
            attempt += 1;
            if attempt > self.context.reconnects {
                return Err(error);
            }
            self.note(format!("the spool's connection: try {attempt} after: {}", atalaya_data::chain(&error)));
            let is_wanted = tokio::select! {
                () = tokio::time::sleep(pause) => false,
                _ = self.wanted.wait_for(|wanted| *wanted) => true,
            };
            if is_wanted {
                // What is there can be read, and the source is opened again by whoever reads.
                return Ok(self.handed());
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn handed(&self) -> Handed {
        self.context.failpoints.reach("spool-handed-over");
        Handed { position: self.position, acknowledged: self.stored }
    }

    fn note(&self, text: String) {
        // Nobody listens when the run ends.
        let _gone = self.notes.send(text);
    }

    /// What the source may be told.
    fn acknowledged(&self) -> Lsn {
        self.stored.max(*self.applied.borrow())
    }

    /// Receives on one connection, until it is asked to hand over and stands between two transactions.
    async fn receive(&mut self) -> Result<(), Error> {
        let name = format!("atalaya spool {}", self.context.migration.name);
        let source = Session::connect_for_control(&self.context.source, &name).await?;
        check_source(&source, &self.context.migration).await?;
        check_position(&source, &self.context.migration, self.position).await?;
        // Whole transactions only: what is in progress stays on the source.
        let (url, migration) = (&self.context.source, &self.context.migration);
        let opener = StreamOpener::prepare(url, migration, &source, InProgress::Kept).await?;
        drop(source);
        let target = Session::connect_for_control(&self.context.target, &name).await?;
        target.batch("SET synchronous_commit = on").await?;
        let mut stream = opener.open(self.position).await?;
        let (mut status, mut sync) = (interval(STATUS_EVERY), interval(SYNC_EVERY));
        sync.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if *self.wanted.borrow() && (self.is_full || self.writer.as_ref().is_some_and(Writer::is_between)) {
                break;
            }
            tokio::select! {
                event = stream.next(), if !self.is_full => self.take(event?, &mut stream).await?,
                // The answer says how far the source is, which it does not say by itself while it has nothing to send.
                _ = status.tick() => stream.send_status(self.acknowledged(), true).await?,
                _ = sync.tick() => self.on_tick(&mut stream, &target).await?,
                Ok(()) = self.applied.changed() => {
                    let applied = *self.applied.borrow_and_update();
                    self.on_writer(Some(&mut stream), move |writer| writer.delete_before(applied)).await?;
                    stream.send_status(self.acknowledged(), false).await?;
                    if self.is_full {
                        self.flush(&mut stream).await?;
                    }
                }
                Ok(()) = self.wanted.changed() => {}
            }
        }
        // What does not fit comes again from the source itself.
        self.on_writer(Some(&mut stream), Writer::cut).await?;
        self.make_safe(&mut stream, &target).await?;
        self.tell_figures(&target).await?;
        stream.finish().await;
        Ok(())
    }

    /// Takes an event with those that came with it, and writes them.
    async fn take(&mut self, event: ReplicationEvent, stream: &mut ReplicationStream) -> Result<(), Error> {
        let acknowledged = self.acknowledged();
        let writer = self.writer.as_mut().ok_or(GONE)?;
        let mut reply = false;
        let mut next = Some(event);
        while let Some(event) = next.take() {
            match event {
                ReplicationEvent::Data { payload, .. } => writer.push(payload)?,
                ReplicationEvent::Keepalive { wal_end, reply_requested } => {
                    writer.idle(wal_end);
                    reply |= reply_requested;
                }
            }
            // Where whoever waits for the end of a transaction may have it.
            let ends = writer.is_between() && (writer.is_segment_full() || *self.wanted.borrow());
            if !ends && writer.waiting_bytes() < BATCH_BYTES && stream.has_complete_message() {
                next = stream.try_next()?;
            }
        }
        if reply {
            stream.send_status(acknowledged, false).await?;
        }
        self.flush(stream).await
    }

    /// Writes what was taken, or notices that there is no room.
    async fn flush(&mut self, stream: &mut ReplicationStream) -> Result<(), Error> {
        let flushed = self.on_writer(Some(stream), Writer::flush).await?;
        self.is_full = flushed == Flushed::Full;
        if self.is_full && !std::mem::replace(&mut self.has_warned, true) {
            let bytes = self.writer.as_ref().map_or(0, |writer| writer.shared().bytes());
            self.note(format!(
                "the spool holds {} and may take no more (`--spool-limit`, and what is kept free on its disk): from \
                 here on the source keeps its log",
                atalaya_data::size::bytes(bytes)
            ));
        }
        Ok(())
    }

    async fn on_tick(&mut self, stream: &mut ReplicationStream, target: &Session) -> Result<(), Error> {
        if self.is_full {
            self.flush(stream).await?;
        }
        self.make_safe(stream, target).await?;
        self.tell_figures(target).await
    }

    /// Makes what was received safe, stores that, and lets the source forget it.
    async fn make_safe(&mut self, stream: &mut ReplicationStream, target: &Session) -> Result<(), Error> {
        if self.context.acknowledgement == Acknowledgement::Applied || self.position <= self.stored {
            return Ok(());
        }
        let received = self.on_writer(Some(stream), Writer::sync).await?;
        let store = Store { session: target, name: &self.context.migration.name };
        store.store_received(received, &self.context.spool).await?;
        self.context.failpoints.reach("spool-received-stored");
        self.stored = received;
        stream.send_status(self.acknowledged(), false).await?;
        self.context.failpoints.reach("spool-acknowledged");
        Ok(())
    }

    async fn tell_figures(&mut self, target: &Session) -> Result<(), Error> {
        let figures = SpoolFigures {
            written_lsn: self.position,
            bytes: self.writer.as_ref().map_or(0, |writer| writer.shared().bytes()),
            limit_bytes: self.context.limit_bytes,
            is_full: self.is_full,
            frees_source: self.context.acknowledgement == Acknowledgement::Received,
        };
        if self.figures.as_ref() != Some(&figures) {
            Store { session: target, name: &self.context.migration.name }.write_spool_figures(Some(&figures)).await?;
            self.figures = Some(figures);
        }
        Ok(())
    }

    /// Works with the writer where waiting for a disk is allowed, and answers the source meanwhile.
    async fn on_writer<T: Send + 'static>(
        &mut self,
        mut stream: Option<&mut ReplicationStream>,
        work: impl FnOnce(&mut Writer) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let acknowledged = self.acknowledged();
        let mut writer = self.writer.take().ok_or(GONE)?;
        let mut working = tokio::task::spawn_blocking(move || {
            let done = work(&mut writer);
            (writer, done)
        });
        let (writer, done) = loop {
            tokio::select! {
                ended = &mut working => break ended.map_err(|_| GONE)?,
                () = tokio::time::sleep(STATUS_EVERY) => {
                    if let Some(stream) = &mut stream {
                        // That it is lost is seen when it is read.
                        let _lost = stream.send_status(acknowledged, false).await;
                    }
                }
            }
        };
        self.position = writer.position();
        self.writer = Some(writer);
        done
    }
}

const ENDED: Error = Error::Broken("the spool's receiver ended before its time");
const GONE: Error = Error::Broken("the spool's writer ended before its time");
