//! The master key's file while it is replaced. The key store says which key counts; the files follow.
//!
//! A new key lies beside the old one, whole and durable, before the key store names it; the old one is destroyed only
//! after. Whoever holds the key store's write lock may find any step of that, and ends it.

use std::fs;
use std::path::PathBuf;

use uuid::Uuid;

use crate::erase::ErasureError;
use crate::erase::master::Master;
use crate::secret::{self, SecretFileError};

/// A master key's file, and the place of the next one.
#[derive(Debug)]
pub(super) struct MasterFile {
    path: PathBuf,
    next: PathBuf,
}

impl MasterFile {
    pub(super) fn new(path: PathBuf) -> Self {
        let mut next = path.clone().into_os_string();
        next.push(".next");
        Self { path, next: next.into() }
    }

    /// The key that the key store names; its file is made the only one. Under the key store's write lock alone.
    pub(super) fn settled(&self, current: &Uuid) -> Result<Master, ErasureError> {
        let named = |found: &Option<Master>| found.as_ref().is_some_and(|master| master.id() == current);
        let here = read(&self.path)?;
        if named(&here)
            && let Some(master) = here
        {
            // Of an erasure that ended before the key store named it.
            secret::destroy(&self.next)?;
            return Ok(master);
        }
        let next = read(&self.next)?;
        if named(&next)
            && let Some(master) = next
        {
            self.replace()?;
            return Ok(master);
        }
        Err(ErasureError::OtherMaster)
    }

    /// Lays a new key beside the current one.
    pub(super) fn prepare(&self) -> Result<Master, ErasureError> {
        let master = Master::generate()?;
        secret::create(&self.next, master.to_text().as_bytes())?;
        Ok(master)
    }

    /// Destroys the old key and puts the next one in its place.
    fn replace(&self) -> Result<(), ErasureError> {
        secret::destroy(&self.path)?;
        let renamed = fs::rename(&self.next, &self.path).and_then(|()| secret::sync_folder(&self.path));
        let io =
            |source| SecretFileError::Io { action: "put in the place of the old one", path: self.next.clone(), source };
        Ok(renamed.map_err(io)?)
    }
}

/// The key of a file; none where there is no file, or one that was being overwritten.
fn read(path: &std::path::Path) -> Result<Option<Master>, ErasureError> {
    match secret::read(path) {
        Ok(bytes) => Ok(Master::parse(&bytes)),
        Err(SecretFileError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(other) => Err(other.into()),
    }
}
