//! Where the source's changes wait on disk while the copy runs, so that its log need not.
//!
//! A receiver reads the replication stream from the moment the slot stands and appends what it gets to segment files
//! in the migration's own folder; once the copy is done, the changes are read from there, and where reader and writer
//! meet, from the source again.
//!
//! The spool holds whole transactions only: the connection that fills it does not ask for streamed ones, a connection
//! that broke within a transaction has that transaction cut off again, and nobody reads beyond the last whole one. So
//! nothing that is read from here ever has to be taken back.
//!
//! By itself the spool is a cache: the source keeps everything until it is applied, and each run begins a new one.
//! With [`Acknowledgement::Received`] it is the only place that holds what the source was told to forget. Then
//! `received` on the target says how far, stored after the spool's fsync and before the acknowledgement, and a run
//! refuses to go on with a spool that is not whole up to there. Its files hold rows: they have mode 0600, and go with
//! the last change that is applied.

mod begin;
mod boundary;
mod drain;
mod format;
mod receiver;
mod room;
mod segment;
mod shared;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

pub(crate) use begin::{Begun, begin};
pub(crate) use drain::Next;
pub(crate) use receiver::Receiver;
pub(crate) use shared::Kept;

use std::path::{Path, PathBuf};

/// What the source is told while changes go to the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledgement {
    /// Only what the target has applied: the spool can be lost, and the source keeps its log.
    Applied,
    /// What is safely in the spool: the source's log is freed, and the move depends on the spool's disk.
    Received,
}

/// How the spool is used.
#[derive(Clone, Copy, Debug)]
pub struct SpoolOptions {
    /// The most bytes that it may take; 0 for none.
    pub limit_bytes: u64,
    /// What frees the source's log.
    pub acknowledgement: Acknowledgement,
}

/// A migration's spool, named by its slot: another migration of the same name has another.
pub(crate) fn folder(work_folder: &Path, slot: &str) -> PathBuf {
    work_folder.join(format!("{slot}.spool"))
}

/// Removes what a finished migration may have left of its spool.
///
/// # Errors
/// When a file cannot be removed.
pub(crate) fn discard(work_folder: &Path, slot: &str) -> Result<(), crate::Error> {
    shared::remove(&folder(work_folder, slot))
}

/// A file of the spool that could not be used.
fn file_error(action: &'static str, path: &Path, source: std::io::Error) -> crate::Error {
    crate::Error::File { action, path: path.display().to_string(), source }
}
