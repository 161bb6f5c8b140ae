//! The list of keys that were dropped, in the order in which they were.

use rusqlite::{Connection, Transaction};

use super::{KeyStore, file};
use crate::erase::error::failed;
use crate::erase::{ErasureError, KeyId};

const READING: &str = "reading the dropped keys";

impl KeyStore {
    /// The ids of the keys that were dropped, in their order.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn dropped(&self) -> Result<Vec<KeyId>, ErasureError> {
        list(&self.lock().connection)
    }

    /// Refuses to go on when keys of another list, an exported one or the journal's tombstones, are alive here or were
    /// never dropped here: this is an older backup.
    ///
    /// # Errors
    /// [`ErasureError::DroppedKeysAlive`], [`ErasureError::OtherList`].
    pub fn check(&self, dropped: &[KeyId]) -> Result<(), ErasureError> {
        let open = self.lock();
        let own = list(&open.connection)?;
        let common = own.len().min(dropped.len());
        if own.get(..common) != dropped.get(..common) {
            return Err(ErasureError::OtherList);
        }
        let mut alive = 0;
        for key in dropped {
            alive += usize::from(is_alive(&open.connection, key)?);
        }
        match (dropped.len() - common).max(alive) {
            0 => Ok(()),
            count => Err(ErasureError::DroppedKeysAlive { count }),
        }
    }
}

/// The whole list.
pub(super) fn list(connection: &Connection) -> Result<Vec<KeyId>, ErasureError> {
    let mut select = connection.prepare_cached("SELECT id FROM dropped ORDER BY number").map_err(failed(READING))?;
    let rows = select.query_map([], |row| row.get::<_, Vec<u8>>(0)).map_err(failed(READING))?;
    rows.map(|row| row.map_err(failed(READING)).and_then(|id| file::key_id(&id))).collect()
}

/// Whether a key was dropped.
pub(super) fn holds(transaction: &Transaction<'_>, key: &KeyId) -> Result<bool, ErasureError> {
    exists(transaction, "SELECT 1 FROM dropped WHERE id = ?1", key)
}

/// Whether a key is there.
pub(super) fn is_alive(connection: &Connection, key: &KeyId) -> Result<bool, ErasureError> {
    exists(connection, "SELECT 1 FROM keys WHERE id = ?1", key)
}

fn exists(connection: &Connection, sql: &str, key: &KeyId) -> Result<bool, ErasureError> {
    let found = connection.prepare_cached(sql).and_then(|mut select| select.exists([key.as_uuid().as_bytes()]));
    found.map_err(failed(READING))
}
