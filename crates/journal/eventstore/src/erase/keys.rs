//! The keys of people, in a file of SQLite of their own.
//!
//! Outside the journal's folder, since a copy of both would keep what an erasure drops; each wrapped by a master key in
//! a file outside both. The file knows a person only by a keyed hash and by a name sealed under the master key.

mod drop;
mod dropped;
mod file;
mod master_file;
#[cfg(test)]
pub(in crate::erase) mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use uuid::Uuid;

use super::ErasureError;
use super::crypt::Secret;
use super::error::failed;
use super::master::{Master, Unwrapped};
use crate::erase::KeyId;
use crate::secret;

pub(super) use drop::Pending;
use master_file::MasterFile;

const FINDING: &str = "finding a key";

/// Where keys lie.
#[derive(Clone, Debug)]
pub struct KeyFiles {
    /// The key store's file.
    pub store: PathBuf,
    /// The master key's file. Nowhere near the key store, nor in the same backup.
    pub master: PathBuf,
    /// Folders that neither may lie in: the journal's, the state's.
    pub apart_from: Vec<PathBuf>,
}

/// A key store. Several processes may have it open.
///
/// After an erasure older backups of it open nothing, those of everybody else's keys neither: back it up anew, and its
/// master key elsewhere, whenever somebody was erased.
#[derive(Debug)]
pub struct KeyStore {
    id: Uuid,
    files: KeyFiles,
    master_file: MasterFile,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    connection: Connection,
    master: Master,
}

/// What became of a key.
#[derive(Debug)]
pub(super) enum Found {
    /// It is there.
    Key(Secret),
    /// It was dropped.
    Dropped,
}

impl KeyStore {
    /// Makes an empty key store and a new master key.
    ///
    /// # Errors
    /// When one of the files is there already, or lies where it must not.
    pub fn create(files: &KeyFiles) -> Result<(), ErasureError> {
        apart(files)?;
        if files.store.exists() {
            return Err(ErasureError::NotMade);
        }
        let master = Master::generate()?;
        secret::create(&files.master, master.to_text().as_bytes())?;
        file::create(&files.store, master.id())
    }

    /// Opens a key store with its master key, and ends what an interrupted erasure left half done.
    ///
    /// # Errors
    /// When a file is missing, lies where it must not or can be read by others, or the master key is another one.
    pub fn open(files: &KeyFiles) -> Result<Self, ErasureError> {
        apart(files)?;
        let mut connection = file::open(&files.store)?;
        let master_file = MasterFile::new(files.master.clone());
        let transaction = begin(&mut connection)?;
        let id = file::identity(&transaction)?;
        let master = master_file.settled(&file::master_id(&transaction)?)?;
        transaction.commit().map_err(failed("opening"))?;
        let store = Self { id, files: files.clone(), master_file, open: Mutex::new(Open { connection, master }) };
        store.clean_if_needed()?;
        Ok(store)
    }

    /// Refuses keys that lie in a folder.
    pub(super) fn outside(&self, folder: &Path) -> Result<(), ErasureError> {
        secret::outside(&self.files.store, folder)?;
        Ok(secret::outside(&self.files.master, folder)?)
    }

    /// The key of a person, made when there is none.
    pub(super) fn key_of(&self, subject: &str) -> Result<(KeyId, Secret), ErasureError> {
        let mut open = self.lock();
        if let Some(found) = self.current_key(&mut open, subject)? {
            return Ok(found);
        }
        let Open { connection, master } = &mut *open;
        let transaction = begin(connection)?;
        self.refresh(&transaction, master)?;
        // Another process may have made one in between.
        if let Some(found) = self.row_of(&transaction, master, subject)? {
            return Ok(found);
        }
        let (key, unwrapped) =
            (KeyId::generate(), Unwrapped { secret: Secret::generate()?, subject: subject.to_owned() });
        let wrapped = master.wrap(&self.id, &key, &unwrapped)?;
        transaction
            .prepare_cached("INSERT INTO keys (id, subject, wrapped) VALUES (?1, ?2, ?3)")
            .and_then(|mut insert| insert.execute(params![key.as_uuid().as_bytes(), master.tag(subject), wrapped]))
            .map_err(failed("making a key"))?;
        transaction.commit().map_err(failed("making a key"))?;
        Ok((key, unwrapped.secret))
    }

    /// A key by its id.
    pub(super) fn find(&self, key: KeyId) -> Result<Found, ErasureError> {
        let mut open = self.lock();
        let Open { connection, master } = &mut *open;
        let transaction = connection.transaction().map_err(failed(FINDING))?;
        if file::master_id(&transaction)? != *master.id() {
            drop(transaction);
            let transaction = begin(connection)?;
            self.refresh(&transaction, master)?;
            return self.found(&transaction, master, key);
        }
        self.found(&transaction, master, key)
    }

    fn found(&self, transaction: &Transaction<'_>, master: &Master, key: KeyId) -> Result<Found, ErasureError> {
        let wrapped: Option<Vec<u8>> = transaction
            .prepare_cached("SELECT wrapped FROM keys WHERE id = ?1")
            .and_then(|mut select| select.query_row([key.as_uuid().as_bytes()], |row| row.get(0)).optional())
            .map_err(failed(FINDING))?;
        if let Some(wrapped) = wrapped {
            return Ok(Found::Key(master.unwrap(&self.id, &key, &wrapped)?.secret));
        }
        if dropped::holds(transaction, &key)? { Ok(Found::Dropped) } else { Err(ErasureError::UnknownKey { key }) }
    }

    fn current_key(&self, open: &mut Open, subject: &str) -> Result<Option<(KeyId, Secret)>, ErasureError> {
        let Open { connection, master } = open;
        let transaction = connection.transaction().map_err(failed(FINDING))?;
        if file::master_id(&transaction)? != *master.id() {
            return Ok(None);
        }
        self.row_of(&transaction, master, subject)
    }

    fn row_of(
        &self,
        transaction: &Transaction<'_>,
        master: &Master,
        subject: &str,
    ) -> Result<Option<(KeyId, Secret)>, ErasureError> {
        let row: Option<(Vec<u8>, Vec<u8>)> = transaction
            .prepare_cached("SELECT id, wrapped FROM keys WHERE subject = ?1")
            .and_then(|mut select| {
                select.query_row([master.tag(subject)], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(failed(FINDING))?;
        let Some((id, wrapped)) = row else { return Ok(None) };
        let key = file::key_id(&id)?;
        Ok(Some((key, master.unwrap(&self.id, &key, &wrapped)?.secret)))
    }

    /// Takes over the master key that another process made; under the write lock alone.
    fn refresh(&self, transaction: &Transaction<'_>, master: &mut Master) -> Result<(), ErasureError> {
        let current = file::master_id(transaction)?;
        if current != *master.id() {
            *master = self.master_file.settled(&current)?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // What a panicking holder left is a transaction that was rolled back.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the write lock before anything is read.
fn begin(connection: &mut Connection) -> Result<Transaction<'_>, ErasureError> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed("waiting for other writers"))
}

fn apart(files: &KeyFiles) -> Result<(), ErasureError> {
    let folder_of = |path: &Path| secret::resolved(path).map(|path| path.parent().map(Path::to_owned));
    for folder in &files.apart_from {
        secret::outside(&files.store, folder)?;
        secret::outside(&files.master, folder)?;
    }
    if let Some(folder) = folder_of(&files.store)? {
        secret::outside(&files.master, &folder)?;
    }
    Ok(())
}
