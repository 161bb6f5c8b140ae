//! How keys are dropped, in steps of which each may be the last one before a crash.
//!
//! 1. A new master key lies beside the old one. Nothing names it yet: it is destroyed when the store is opened.
//! 2. One transaction removes the keys, notes their ids, wraps all others by the new master key and names it.
//! 3. The old master key is destroyed, the new one takes its place. From here on older copies of the store open nothing.
//! 4. The store is written anew, so that no old page is left in its file or its log.
//! 5. The journal gets the tombstone, which the store then notes.
//!
//! Opening the store ends 3 and 4; the next erasure, or the vault's opening, ends 5.

use rusqlite::{Transaction, params};
use uuid::Uuid;

use super::{KeyStore, Open, begin, dropped, file};
use crate::erase::error::failed;
use crate::erase::master::{Master, Unwrapped};
use crate::erase::{ErasureError, KeyId};

const DROPPING: &str = "dropping keys";
const REWRAPPING: &str = "wrapping the other keys anew";
/// So many keys are in memory at once.
const BATCH: i64 = 512;

/// An erasure that the journal may not know yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::erase) struct Pending {
    /// Its identity, which the tombstone's is made of.
    pub(in crate::erase) id: Uuid,
    /// The keys that it dropped.
    pub(in crate::erase) keys: Vec<KeyId>,
}

/// Which keys go.
pub(super) enum Doomed<'a> {
    /// Those of a person.
    Of(&'a str),
    /// Those of a list, whether they are here or not.
    Listed(&'a [KeyId]),
}

impl KeyStore {
    /// Drops the keys of a person; false where there are none.
    pub(in crate::erase) fn drop_keys_of(&self, subject: &str) -> Result<bool, ErasureError> {
        self.drop_keys(&Doomed::Of(subject))
    }

    /// Brings a store that was restored from a backup to where the list is: what was dropped since is dropped again.
    ///
    /// # Errors
    /// [`ErasureError::OtherList`] when it is no continuation of the store's own list.
    pub fn apply(&self, list: &[KeyId]) -> Result<(), ErasureError> {
        self.drop_keys(&Doomed::Listed(list)).map(drop)
    }

    fn drop_keys(&self, doomed: &Doomed<'_>) -> Result<bool, ErasureError> {
        let dropped = self.replace_master(doomed)?;
        if dropped {
            self.destroy_old_master()?;
        }
        self.clean_if_needed()?;
        Ok(dropped)
    }

    /// Steps 1 and 2.
    pub(super) fn replace_master(&self, doomed: &Doomed<'_>) -> Result<bool, ErasureError> {
        let mut open = self.lock();
        let Open { connection, master } = &mut *open;
        let transaction = begin(connection)?;
        *master = self.master_file.settled(&file::master_id(&transaction)?)?;
        let keys = match doomed {
            Doomed::Of(subject) => {
                self.row_of(&transaction, master, subject)?.into_iter().map(|(key, _)| key).collect()
            }
            Doomed::Listed(list) => missing(&transaction, list)?,
        };
        if keys.is_empty() {
            return Ok(false);
        }
        let next = self.master_file.prepare()?;
        remove(&transaction, &keys)?;
        self.rewrap(&transaction, master, &next)?;
        transaction
            .execute("UPDATE store SET master = ?1, unclean = 1", [next.id().as_bytes()])
            .map_err(failed(DROPPING))?;
        transaction.commit().map_err(failed(DROPPING))?;
        *master = next;
        Ok(true)
    }

    /// Step 3.
    pub(super) fn destroy_old_master(&self) -> Result<(), ErasureError> {
        let mut open = self.lock();
        let Open { connection, master } = &mut *open;
        let transaction = begin(connection)?;
        *master = self.master_file.settled(&file::master_id(&transaction)?)?;
        Ok(())
    }

    /// Step 4.
    pub(super) fn clean_if_needed(&self) -> Result<(), ErasureError> {
        let open = self.lock();
        if file::is_unclean(&open.connection)? { file::clean(&open.connection) } else { Ok(()) }
    }

    /// Erasures whose tombstone the journal may lack, the oldest first.
    pub(in crate::erase) fn pending(&self) -> Result<Vec<Pending>, ErasureError> {
        self.erasures("WHERE NOT announced")
    }

    /// All of them.
    pub(in crate::erase) fn all_erasures(&self) -> Result<Vec<Pending>, ErasureError> {
        self.erasures("")
    }

    fn erasures(&self, filter: &str) -> Result<Vec<Pending>, ErasureError> {
        let reading = "reading the erasures";
        let open = self.lock();
        let sql = format!(
            "SELECT erasures.id, dropped.id FROM erasures JOIN dropped ON dropped.erasure = erasures.number
             {filter} ORDER BY dropped.number"
        );
        let mut select = open.connection.prepare(&sql).map_err(failed(reading))?;
        let rows = select.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)));
        let mut pending: Vec<Pending> = Vec::new();
        for row in rows.map_err(failed(reading))? {
            let (id, key) = row.map_err(failed(reading))?;
            let (id, key) = (*file::key_id(&id)?.as_uuid(), file::key_id(&key)?);
            match pending.last_mut() {
                Some(last) if last.id == id => last.keys.push(key),
                _ => pending.push(Pending { id, keys: vec![key] }),
            }
        }
        Ok(pending)
    }

    /// Notes that the journal has an erasure's tombstone.
    pub(in crate::erase) fn announced(&self, erasure: &Uuid) -> Result<(), ErasureError> {
        let updated =
            self.lock().connection.execute("UPDATE erasures SET announced = 1 WHERE id = ?1", [erasure.as_bytes()]);
        updated.map(drop).map_err(failed("noting a tombstone"))
    }

    fn rewrap(&self, transaction: &Transaction<'_>, old: &Master, new: &Master) -> Result<(), ErasureError> {
        let mut select = transaction
            .prepare("SELECT id, wrapped FROM keys WHERE id > ?1 ORDER BY id LIMIT ?2")
            .map_err(failed(REWRAPPING))?;
        let mut update = transaction
            .prepare("UPDATE keys SET subject = ?2, wrapped = ?3 WHERE id = ?1")
            .map_err(failed(REWRAPPING))?;
        let mut after: Vec<u8> = Vec::new();
        loop {
            let batch: Vec<(Vec<u8>, Vec<u8>)> = select
                .query_map(params![after, BATCH], |row| Ok((row.get(0)?, row.get(1)?)))
                .and_then(Iterator::collect)
                .map_err(failed(REWRAPPING))?;
            let Some((last, _)) = batch.last() else { return Ok(()) };
            after.clone_from(last);
            for (id, wrapped) in &batch {
                let key = file::key_id(id)?;
                let unwrapped: Unwrapped = old.unwrap(&self.id, &key, wrapped)?;
                let (tag, wrapped) = (new.tag(&unwrapped.subject), new.wrap(&self.id, &key, &unwrapped)?);
                update.execute(params![id, tag, wrapped]).map_err(failed(REWRAPPING))?;
            }
        }
    }
}

/// Removes keys and notes them as one erasure.
fn remove(transaction: &Transaction<'_>, keys: &[KeyId]) -> Result<(), ErasureError> {
    transaction
        .execute("INSERT INTO erasures (id, announced) VALUES (?1, 0)", [Uuid::new_v4().as_bytes()])
        .map_err(failed(DROPPING))?;
    let erasure = transaction.last_insert_rowid();
    for key in keys {
        let id = key.as_uuid().as_bytes();
        transaction.execute("DELETE FROM keys WHERE id = ?1", [id]).map_err(failed(DROPPING))?;
        transaction
            .execute(
                "INSERT INTO dropped (id, erasure) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING",
                params![id, erasure],
            )
            .map_err(failed(DROPPING))?;
    }
    Ok(())
}

/// What of a list is alive here, or was not dropped here.
fn missing(transaction: &Transaction<'_>, list: &[KeyId]) -> Result<Vec<KeyId>, ErasureError> {
    let own = dropped::list(transaction)?;
    let common = own.len().min(list.len());
    if own.get(..common) != list.get(..common) {
        return Err(ErasureError::OtherList);
    }
    let mut missing = Vec::new();
    for (number, key) in list.iter().enumerate() {
        if number >= common || dropped::is_alive(transaction, key)? {
            missing.push(*key);
        }
    }
    Ok(missing)
}
