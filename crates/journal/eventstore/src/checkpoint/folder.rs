//! The folder in another trust domain that checkpoints are exported to.
//!
//! Files are written once and never again: `SIZE-DROPPED.checkpoint`, `FIRST-LAST.dropped-keys` and `ID.vkey`, so that
//! the folder may be one that forbids changes. What does not extend what lies there is refused.

mod list;
mod once;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::note::{BYTES_MAX, SignedNote};
use super::{Checkpoint, CheckpointError, DroppedDigest, SigningKey, VerifyingKey};
use crate::ConsistencyProof;
use crate::erase::KeyId;

const CHECKPOINT: &str = "checkpoint";
const KEY: &str = "vkey";

/// A folder of checkpoints, and the keys by which they are believed.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    trusted: Vec<VerifyingKey>,
}

/// What an export did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exported {
    /// A new checkpoint lies there.
    Written(Checkpoint),
    /// The last one says the same: nothing has happened since.
    Unchanged(Checkpoint),
}

pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CheckpointError {
    let path = path.to_owned();
    move |source| CheckpointError::Io { action, path, source }
}

impl Folder {
    /// The folder, which must exist. A checkpoint that none of the keys signed is an error wherever it is met; keep the
    /// keys, or their ids, where the journal's owner cannot change them.
    ///
    /// # Errors
    /// When it is no folder.
    pub fn open(path: &Path, trusted: Vec<VerifyingKey>) -> Result<Self, CheckpointError> {
        let metadata = fs::metadata(path).map_err(io_error("read", path))?;
        if !metadata.is_dir() {
            return Err(io_error("read", path)(io::ErrorKind::NotADirectory.into()));
        }
        Ok(Self { path: path.to_owned(), trusted })
    }

    /// The public keys that exports left beside the checkpoints. Believing them is believing the folder.
    ///
    /// # Errors
    /// When the folder or a key cannot be read.
    pub fn published_keys(path: &Path) -> Result<Vec<VerifyingKey>, CheckpointError> {
        let mut keys = Vec::new();
        for file in files(path, KEY)? {
            keys.push(read_text(&file)?.trim_end().parse()?);
        }
        Ok(keys)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every checkpoint, checked, in the order in which they were exported.
    ///
    /// # Errors
    /// When one is not signed by a trusted key, or is not what its name says.
    pub fn checkpoints(&self) -> Result<Vec<Checkpoint>, CheckpointError> {
        files(&self.path, CHECKPOINT)?.iter().map(|file| self.read(file)).collect()
    }

    /// The last exported checkpoint, checked.
    ///
    /// # Errors
    /// As for [`Self::checkpoints`].
    pub fn latest(&self) -> Result<Option<Checkpoint>, CheckpointError> {
        files(&self.path, CHECKPOINT)?.last().map(|file| self.read(file)).transpose()
    }

    /// The signed note of the last checkpoint, for proofs that stand alone.
    ///
    /// # Errors
    /// As for [`Self::checkpoints`].
    pub fn latest_note(&self) -> Result<Option<SignedNote>, CheckpointError> {
        let files = files(&self.path, CHECKPOINT)?;
        let Some(last) = files.last() else { return Ok(None) };
        self.read(last)?;
        SignedNote::parse(read_text(last)?.as_bytes()).map(Some)
    }

    /// The ids of the keys that were dropped, in their order, checked against the last checkpoint.
    ///
    /// # Errors
    /// When the list is not the one that was signed.
    pub fn dropped(&self) -> Result<Vec<KeyId>, CheckpointError> {
        let signed = self.latest()?.map_or(DroppedDigest::NONE, |latest| latest.dropped);
        let mut keys = list::read(&self.path)?;
        // What stands behind the signed part is of an export that was interrupted before its checkpoint.
        keys.truncate(usize::try_from(signed.count).unwrap_or(usize::MAX));
        if DroppedDigest::of(&keys) == signed {
            Ok(keys)
        } else {
            Err(self.damaged(&self.path, "its lists of dropped keys are not what the last checkpoint signed"))
        }
    }

    /// Signs and writes a checkpoint, the public key and the keys dropped since the last export. `proof` leads from the
    /// last exported checkpoint to this one; it is not needed where there is none.
    ///
    /// # Errors
    /// When the checkpoint does not extend the last one, the list of dropped keys is not the last one and more, or the
    /// folder cannot be written. Nothing is exported then.
    pub fn export(
        &self,
        checkpoint: &Checkpoint,
        proof: Option<&ConsistencyProof>,
        dropped: &[KeyId],
        key: &SigningKey,
    ) -> Result<Exported, CheckpointError> {
        let latest = self.latest()?;
        let listed = self.dropped()?;
        if let Some(last) = &latest {
            extends(last, checkpoint, proof)?;
            if last == checkpoint {
                return Ok(Exported::Unchanged(checkpoint.clone()));
            }
        }
        let exported = latest.map_or(0, |last| last.size);
        if !dropped.starts_with(&listed) || DroppedDigest::of(dropped) != checkpoint.dropped {
            let seen = "its list of dropped keys is not the exported one and what followed";
            return Err(CheckpointError::NotAnExtension { exported, seen });
        }
        let public = key.verifying(&checkpoint.origin)?;
        if !self.trusted.contains(&public) {
            return Err(CheckpointError::Unsigned { key: public.to_string() });
        }
        once::write(&self.path, &format!("{}.{KEY}", public.id_text()), &format!("{public}\n"))?;
        list::write(&self.path, listed.len(), dropped)?;
        once::write(&self.path, &name_of(checkpoint), &checkpoint.sign(key)?.to_text())?;
        Ok(Exported::Written(checkpoint.clone()))
    }

    fn read(&self, file: &Path) -> Result<Checkpoint, CheckpointError> {
        let note = SignedNote::parse(read_text(file)?.as_bytes())?;
        let mut refused = CheckpointError::Unsigned { key: "of no trusted id".into() };
        for key in &self.trusted {
            match Checkpoint::verified(&note, key) {
                Ok(read) if file.file_name().is_some_and(|name| *name == *name_of(&read)) => return Ok(read),
                Ok(_) => return Err(self.damaged(file, "its name is that of another checkpoint")),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn damaged(&self, file: &Path, seen: &'static str) -> CheckpointError {
        CheckpointError::Folder { path: file.to_owned(), seen }
    }
}

/// Whether a checkpoint continues another one.
pub(super) fn extends(
    last: &Checkpoint,
    next: &Checkpoint,
    proof: Option<&ConsistencyProof>,
) -> Result<(), CheckpointError> {
    if last.origin != next.origin {
        return Err(CheckpointError::OtherJournal { found: last.origin.clone(), expected: next.origin.clone() });
    }
    let refuse = |seen| Err(CheckpointError::NotAnExtension { exported: last.size, seen });
    if next.size < last.size {
        return refuse("it has fewer events");
    }
    if next.size == last.size && (next.root != last.root || next.chain != last.chain) {
        return refuse("it has as many events, but not the same");
    }
    if next.dropped.count < last.dropped.count {
        return refuse("its list of dropped keys is shorter");
    }
    let proven = next.size == last.size
        || proof.is_some_and(|proof| {
            (proof.from, proof.to) == (last.size, next.size) && proof.holds(&last.root, &next.root)
        });
    if proven { Ok(()) } else { refuse("its first events are not the exported ones") }
}

fn name_of(checkpoint: &Checkpoint) -> String {
    format!("{:020}-{:010}.{CHECKPOINT}", checkpoint.size, checkpoint.dropped.count)
}

/// The folder's files of one kind, by name.
fn files(path: &Path, extension: &str) -> Result<Vec<PathBuf>, CheckpointError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(io_error("listed", path))? {
        let file = entry.map_err(io_error("listed", path))?.path();
        if file.extension().is_some_and(|found| found == extension) {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn read_text(path: &Path) -> Result<String, CheckpointError> {
    let metadata = fs::metadata(path).map_err(io_error("read", path))?;
    if !metadata.is_file() || metadata.len() > BYTES_MAX as u64 {
        return Err(CheckpointError::Folder { path: path.to_owned(), seen: "it is no file of up to 1 MiB" });
    }
    fs::read_to_string(path).map_err(io_error("read", path))
}

#[cfg(test)]
mod tests;
