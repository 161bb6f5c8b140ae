//! What the writer, the reader and the run know of one spool together.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use atalaya_data::Lsn;
use tokio::sync::watch;

use super::{file_error, segment};
use crate::progress::Store;
use crate::{Error, Failpoints};

/// The end of the last whole transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Complete {
    pub(super) sequence: u64,
    pub(super) offset: u64,
    pub(super) position: Lsn,
}

/// A segment that is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) sequence: u64,
    pub(super) start: Lsn,
    pub(super) bytes: u64,
}

/// One spool's files.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) folder: PathBuf,
    segments: Mutex<VecDeque<Segment>>,
    /// How far it may be read.
    pub(super) complete: watch::Sender<Complete>,
    /// Set once, when the source itself is read again.
    handed_over: Mutex<Option<Lsn>>,
    failpoints: Failpoints,
}

impl Shared {
    pub(super) fn new(folder: &Path, segments: VecDeque<Segment>, complete: Complete, failpoints: Failpoints) -> Self {
        Self {
            folder: folder.to_owned(),
            segments: Mutex::new(segments),
            complete: watch::Sender::new(complete),
            handed_over: Mutex::new(None),
            failpoints,
        }
    }

    fn segments(&self) -> MutexGuard<'_, VecDeque<Segment>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.segments().iter().map(|segment| segment.bytes).sum()
    }

    /// The last segment has so many bytes now.
    pub(super) fn resize_last(&self, bytes: u64) {
        if let Some(last) = self.segments().back_mut() {
            last.bytes = bytes;
        }
    }

    pub(super) fn add(&self, segment: Segment) {
        self.segments().push_back(segment);
    }

    /// The segment that a reader of everything after `applied` begins with.
    pub(super) fn first_after(&self, applied: Lsn) -> u64 {
        let segments = self.segments();
        let first = segments.iter().rev().find(|segment| segment.start <= applied).or(segments.front());
        first.map_or(0, |segment| segment.sequence)
    }

    /// Deletes every segment whose transactions are all before `applied`, which must be on the target's disk.
    pub(super) fn delete_before(&self, applied: Lsn) -> Result<(), Error> {
        loop {
            let mut segments = self.segments();
            let (Some(first), Some(second)) = (segments.front().copied(), segments.get(1)) else { return Ok(()) };
            if second.start > applied {
                return Ok(());
            }
            segments.pop_front();
            drop(segments);
            let path = segment::path(&self.folder, first.sequence);
            std::fs::remove_file(&path).map_err(|error| file_error("remove", &path, error))?;
            self.failpoints.reach("spool-segment-deleted");
        }
    }

    /// From here on the source itself is read, from this position.
    pub(super) fn hand_over(&self, position: Lsn) {
        *self.handed_over.lock().unwrap_or_else(PoisonError::into_inner) = Some(position);
    }

    fn handed_over(&self) -> Option<Lsn> {
        *self.handed_over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A spool that a run reads from, until all that it holds is applied.
#[derive(Debug)]
pub(crate) struct Kept(pub(super) std::sync::Arc<Shared>);

impl Kept {
    /// Whether nobody needs it any more, given a position that is applied and on the target's disk.
    pub(crate) fn is_spent(&self, applied: Lsn) -> bool {
        self.0.handed_over().is_some_and(|end| applied >= end)
    }

    /// Forgets and removes it.
    ///
    /// # Errors
    /// When the target cannot be asked, or a file not be removed.
    pub(crate) async fn remove(&self, store: &Store<'_>) -> Result<(), Error> {
        // Files that nobody knows are thrown away by the next run; a row without its files would be refused.
        store.forget_received().await?;
        self.0.failpoints.reach("spool-forgotten");
        remove(&self.0.folder)
    }
}

/// Removes a spool's folder; harmless where there is none.
pub(super) fn remove(folder: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file_error("remove", folder, error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
