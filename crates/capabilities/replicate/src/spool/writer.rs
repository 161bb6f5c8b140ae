//! Appends to a spool. Blocking: called where waiting for a disk is allowed.
//!
//! A segment ends only between two transactions, so what has to be cut off after a broken connection is in one file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use atalaya_data::Lsn;
use bytes::Bytes;

use super::boundary::Boundary;
use super::format::{Chain, Header, Identity, Record};
use super::shared::{Complete, Segment, Shared};
use super::{file_error, room, segment};
use crate::schema::create_private;
use crate::{Error, Failpoints};

/// A segment is at least this large before the next begins, unless the whole spool may take little.
const SEGMENT_BYTES: u64 = 64 << 20;
/// The parts of a small spool: what is applied can be deleted by parts only.
const PARTS: u64 = 8;

/// Whether what was collected is in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    /// It is.
    Written,
    /// It waits: the spool may take no more, or its disk has no room.
    Full,
}

/// Whether files have to outlive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// They are made anew by the next run.
    Cache,
    /// The source may have forgotten what they hold.
    Kept,
}

/// A place between two transactions of the last segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) offset: u64,
    pub(super) chain: Chain,
    pub(super) position: Lsn,
}

/// The one writer of a spool.
pub(super) struct Writer {
    identity: Identity,
    shared: Arc<Shared>,
    durability: Durability,
    limit_bytes: u64,
    failpoints: Failpoints,
    file: File,
    sequence: u64,
    /// Bytes in the file.
    written: u64,
    /// Records on their way there.
    buffer: Vec<u8>,
    chain: Chain,
    boundary: Boundary,
    /// Behind the last whole transaction that was taken.
    complete: Mark,
    /// Behind the last whole transaction in the file: nobody reads further.
    published: Mark,
    /// Where the source is with nothing to send; written only when nothing else follows at once.
    idle: Option<Lsn>,
    /// The last shape of each relation on this connection.
    known: BTreeMap<u32, Bytes>,
    /// Held as long as anything may be written.
    _lock: File,
}

/// What a writer begins with.
pub(super) struct Start {
    pub(super) identity: Identity,
    pub(super) durability: Durability,
    pub(super) limit_bytes: u64,
    pub(super) failpoints: Failpoints,
    /// The lock of the folder.
    pub(super) lock: File,
}

impl Writer {
    /// Makes the first segment of a new spool, in an empty folder.
    pub(super) fn create(start: Start, folder: &Path, position: Lsn) -> Result<Self, Error> {
        let header = Header { identity: start.identity.clone(), sequence: 1, start: position };
        let (file, mark) = new_segment(folder, &header, &BTreeMap::new(), start.durability)?;
        let segments = [Segment { sequence: 1, start: position, bytes: mark.offset }].into();
        let complete = Complete { sequence: 1, offset: mark.offset, position };
        let shared = Arc::new(Shared::new(folder, segments, complete, start.failpoints.clone()));
        Ok(Self::at(start, shared, file, mark))
    }

    /// Goes on in the last segment of a spool, from a mark behind which there is nothing.
    pub(super) fn resume(start: Start, shared: Arc<Shared>, mark: Mark) -> Result<Self, Error> {
        let path = segment::path(&shared.folder, shared.complete.borrow().sequence);
        let file = File::options().write(true).open(&path);
        let file = file.map_err(|error| file_error("open", &path, error))?;
        Ok(Self::at(start, shared, file, mark))
    }

    fn at(start: Start, shared: Arc<Shared>, file: File, mark: Mark) -> Self {
        let sequence = shared.complete.borrow().sequence;
        Self {
            identity: start.identity,
            shared,
            durability: start.durability,
            limit_bytes: start.limit_bytes,
            failpoints: start.failpoints,
            file,
            sequence,
            written: mark.offset,
            buffer: Vec::new(),
            chain: mark.chain,
            boundary: Boundary::new(mark.position),
            complete: mark,
            published: mark,
            idle: None,
            known: BTreeMap::new(),
            _lock: start.lock,
        }
    }

    /// What the reader and the run know of it.
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The end of the last whole transaction in the file.
    pub(super) fn position(&self) -> Lsn {
        self.published.position
    }

    /// Whether the last transaction is whole.
    pub(super) fn is_between(&self) -> bool {
        !self.boundary.is_within()
    }

    /// Bytes that are not in the file.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Whether the next segment begins after this transaction.
    pub(super) fn is_segment_full(&self) -> bool {
        let size = SEGMENT_BYTES.min(self.limit_bytes / PARTS);
        self.written.saturating_add(self.buffer.len() as u64) >= size
    }

    /// Takes a message of the source.
    pub(super) fn push(&mut self, payload: Bytes) -> Result<(), Error> {
        self.idle = None;
        if let (Some(b'R'), Some(id)) = (payload.first(), payload.get(1..5)) {
            let id = id.iter().fold(0, |id, byte| id << 8 | u32::from(*byte));
            // It shares memory with whatever came with it.
            self.known.insert(id, Bytes::copy_from_slice(&payload));
        }
        self.append(&Record::Message(payload))
    }

    /// Takes the source's word that everything before a position was sent.
    pub(super) fn idle(&mut self, position: Lsn) {
        if self.is_between() && position > self.complete.position {
            self.idle = self.idle.max(Some(position));
        }
    }

    fn append(&mut self, record: &Record) -> Result<(), Error> {
        record.encode(&mut self.chain, &mut self.buffer)?;
        self.boundary.see(record)?;
        if self.is_between() {
            let offset = self.written + self.buffer.len() as u64;
            self.complete = Mark { offset, chain: self.chain, position: self.boundary.position() };
        }
        Ok(())
    }

    /// Writes what was taken, and begins a new segment where one is due.
    ///
    /// # Errors
    /// When the disk fails in another way than by being full.
    pub(super) fn flush(&mut self) -> Result<Flushed, Error> {
        if let Some(position) = self.idle.take() {
            self.append(&Record::Idle(position))?;
        }
        if self.buffer.is_empty() {
            return Ok(Flushed::Written);
        }
        let more = self.buffer.len() as u64;
        if !room::is_there(&self.shared.folder, self.shared.bytes(), more, self.limit_bytes) {
            return Ok(Flushed::Full);
        }
        match self.file.write_all_at(&self.buffer, self.written) {
            Ok(()) => {}
            Err(error) if is_full(&error) => {
                // A part of it may be there; the next try writes at the same place.
                self.file.set_len(self.written).map_err(|error| self.error("write", error))?;
                return Ok(Flushed::Full);
            }
            Err(error) => return Err(self.error("write", error)),
        }
        self.written += more;
        self.buffer.clear();
        self.shared.resize_last(self.written);
        self.publish();
        self.failpoints.reach("spool-written");
        if self.is_between() && self.is_segment_full() {
            self.rotate()?;
        }
        Ok(Flushed::Written)
    }

    fn publish(&mut self) {
        self.published = self.complete;
        let Mark { offset, position, .. } = self.published;
        self.shared.complete.send_replace(Complete { sequence: self.sequence, offset, position });
    }

    /// Begins the next segment; stays with this one where there is no room for another.
    fn rotate(&mut self) -> Result<(), Error> {
        self.sync()?;
        let header = Header { identity: self.identity.clone(), sequence: self.sequence + 1, start: self.position() };
        let (file, mark) = match new_segment(&self.shared.folder, &header, &self.known, self.durability) {
            Ok(made) => made,
            Err(Error::File { source, .. }) if is_full(&source) => return Ok(()),
            Err(error) => return Err(error),
        };
        self.file = file;
        self.sequence += 1;
        self.written = mark.offset;
        self.chain = mark.chain;
        self.complete = mark;
        self.shared.add(Segment { sequence: self.sequence, start: mark.position, bytes: mark.offset });
        self.publish();
        Ok(())
    }

    /// Waits until everything written is on disk, where that is asked for; answers with how far whole transactions go.
    ///
    /// # Errors
    /// When the disk fails: what it holds is uncertain then, and only the next run's check tells.
    pub(super) fn sync(&mut self) -> Result<Lsn, Error> {
        if self.durability == Durability::Kept {
            self.file.sync_data().map_err(|error| self.error("write", error))?;
            self.failpoints.reach("spool-synced");
        }
        Ok(self.position())
    }

    /// Drops everything behind the last whole transaction in the file, and what only this connection's server knows.
    pub(super) fn cut(&mut self) -> Result<(), Error> {
        self.idle = None;
        self.known.clear();
        self.buffer.clear();
        let whole = self.published;
        self.file.set_len(whole.offset).map_err(|error| self.error("cut", error))?;
        self.written = whole.offset;
        self.shared.resize_last(self.written);
        self.chain = whole.chain;
        self.boundary = Boundary::new(whole.position);
        self.complete = whole;
        Ok(())
    }

    /// Deletes what is applied and on the target's disk.
    pub(super) fn delete_before(&self, applied: Lsn) -> Result<(), Error> {
        self.shared.delete_before(applied)
    }

    fn error(&self, action: &'static str, source: io::Error) -> Error {
        file_error(action, &segment::path(&self.shared.folder, self.sequence), source)
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Makes a segment with its header and what a reader that begins here has to know; it is there after a power cut.
fn new_segment(
    folder: &Path,
    header: &Header,
    known: &BTreeMap<u32, Bytes>,
    durability: Durability,
) -> Result<(File, Mark), Error> {
    let (mut start, mut chain) = header.encode()?;
    for payload in known.values() {
        Record::Known(payload.clone()).encode(&mut chain, &mut start)?;
    }
    let path = segment::path(folder, header.sequence);
    let made = create_private(&path).and_then(|file| {
        file.write_all_at(&start, 0)?;
        if durability == Durability::Kept {
            file.sync_all()?;
            File::open(folder)?.sync_all()?;
        }
        Ok(file)
    });
    let file = made.map_err(|error| {
        // Half a segment would be taken for damage; that it stays is seen by the next try.
        let _removed = std::fs::remove_file(&path);
        file_error("create", &path, error)
    })?;
    Ok((file, Mark { offset: start.len() as u64, chain, position: header.start }))
}
