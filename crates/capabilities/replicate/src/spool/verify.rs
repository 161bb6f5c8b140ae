//! Is a spool whole, from what the target has applied to what the source was told that we have?
//!
//! Read before anything else is touched. Damage beyond `received` is the torn end of a killed run and is cut off: the
//! source sends that again. Damage before it cannot be mended by anybody, and is refused.

use std::collections::VecDeque;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use atalaya_data::Lsn;

use super::boundary::Boundary;
use super::file_error;
use super::format::{Flaw, Identity};
use super::segment::{self, SegmentReader, Unreadable};
use super::shared::{Complete, Segment, Shared};
use super::writer::Mark;
use crate::{Error, Failpoints};

/// What `received` promises.
pub(super) struct Promise {
    pub(super) identity: Identity,
    pub(super) applied: Lsn,
    pub(super) received: Lsn,
}

/// Checks a spool, cuts off what lies beyond the promise, and says where writing goes on.
///
/// # Errors
/// Refuses when it is another spool, begins too late, ends too early or is not what was written.
pub(super) fn verify(folder: &Path, promise: &Promise, failpoints: Failpoints) -> Result<(Arc<Shared>, Mark), Error> {
    let sequences = segment::list(folder).map_err(|error| file_error("read", folder, error))?;
    let Some(first) = sequences.first().copied() else { return Err(missing(folder, promise)) };
    let check = Check { folder, promise };
    let mut reader = check.open(first)?;
    if reader.header.start > promise.applied {
        return Err(refused("spool-short", promise, folder, "begins after what the target has applied"));
    }
    // A segment that cannot be read may lie beyond the promise; if not, it is come to below.
    while let Ok(next) = check.open(reader.header.sequence + 1)
        && next.header.start <= promise.applied
    {
        reader = next;
    }
    let mut segments = VecDeque::new();
    let mut boundary = Boundary::new(reader.header.start);
    loop {
        let (sequence, start) = (reader.header.sequence, reader.header.start);
        let mark = check.read(&mut reader, &mut boundary)?;
        let bytes = mark.map_or(reader.offset, |mark| mark.offset);
        segments.push_back(Segment { sequence, start, bytes });
        if let Some(mark) = mark {
            cut(folder, &sequences, sequence, mark)?;
            let complete = Complete { sequence, offset: mark.offset, position: mark.position };
            return Ok((Arc::new(Shared::new(folder, segments, complete, failpoints)), mark));
        }
        if !sequences.contains(&(sequence + 1)) {
            return Err(refused("spool-short", promise, folder, "ends before what the source was told"));
        }
        reader = check.open(sequence + 1)?;
        if reader.header.start != boundary.position() || boundary.is_within() {
            return Err(check.damaged(sequence + 1, 0));
        }
    }
}

struct Check<'a> {
    folder: &'a Path,
    promise: &'a Promise,
}

impl Check<'_> {
    fn open(&self, sequence: u64) -> Result<SegmentReader, Error> {
        let path = segment::path(self.folder, sequence);
        let reader = SegmentReader::open(&path).map_err(|error| self.unreadable(error, sequence, 0))?;
        if reader.header.identity != self.promise.identity || reader.header.sequence != sequence {
            return Err(refused("spool-foreign", self.promise, self.folder, "is another one"));
        }
        Ok(reader)
    }

    /// Reads a segment up to the promise; none when it ends before.
    fn read(&self, reader: &mut SegmentReader, boundary: &mut Boundary) -> Result<Option<Mark>, Error> {
        let sequence = reader.header.sequence;
        let received = self.promise.received;
        if !boundary.is_within() && boundary.position() == received {
            return Ok(Some(Mark { offset: reader.offset, chain: reader.chain, position: received }));
        }
        let path = segment::path(self.folder, sequence);
        let end = reader.length().map_err(|error| file_error("read", &path, error))?;
        loop {
            let offset = reader.offset;
            let records = reader.read(end).map_err(|error| self.unreadable(error, sequence, offset))?;
            if records.is_empty() {
                return Ok(None);
            }
            for placed in records {
                boundary.see(&placed.record)?;
                if boundary.is_within() || boundary.position() < received {
                    continue;
                }
                if boundary.position() > received {
                    return Err(self.damaged(sequence, placed.end));
                }
                return Ok(Some(Mark { offset: placed.end, chain: placed.chain, position: received }));
            }
        }
    }

    fn unreadable(&self, error: Unreadable, sequence: u64, offset: u64) -> Error {
        match error {
            Unreadable::Io(error) => file_error("read", &segment::path(self.folder, sequence), error),
            Unreadable::Flaw(Flaw::Version) => Error::refused(
                "spool-version",
                format!("the spool in `{}` was written by a later version of atalaya", self.folder.display()),
                "use the version of atalaya that wrote it",
            ),
            Unreadable::Flaw(Flaw::Torn | Flaw::Damaged) => self.damaged(sequence, offset),
        }
    }

    fn damaged(&self, sequence: u64, offset: u64) -> Error {
        let file = segment::path(Path::new(""), sequence);
        let seen = format!("is damaged: `{}` is not what was written, from byte {offset} on", file.display());
        refused("spool-damaged", self.promise, self.folder, &seen)
    }
}

/// Removes what is before and behind the segments that were checked, and the end of the last.
fn cut(folder: &Path, sequences: &[u64], last: u64, mark: Mark) -> Result<(), Error> {
    for sequence in sequences.iter().filter(|sequence| **sequence > last) {
        let path = segment::path(folder, *sequence);
        std::fs::remove_file(&path).map_err(|error| file_error("remove", &path, error))?;
    }
    let path = segment::path(folder, last);
    let cut = File::options().write(true).open(&path).and_then(|file| {
        file.set_len(mark.offset)?;
        file.sync_all()
    });
    cut.map_err(|error| file_error("cut", &path, error))
}

/// The refusal of a spool that is not there.
pub(super) fn missing(folder: &Path, promise: &Promise) -> Error {
    refused("spool-missing", promise, folder, "is not there")
}

fn refused(code: &'static str, promise: &Promise, folder: &Path, seen: &str) -> Error {
    Error::refused(
        code,
        format!(
            "the source was told to forget its log up to {}, the target has applied it up to {}, and the spool that \
             holds what lies between {seen}: `{}`",
            promise.received,
            promise.applied,
            folder.display()
        ),
        "bring back the state folder (`--state`) of the machine that the move ran on, as it was last; if it is lost, \
         changes are lost with it: `atalaya migrate abort` and start the move again",
    )
}
