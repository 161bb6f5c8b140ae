//! A journal with its key store: the only way to a [`Sealer`], so that nobody reads with keys that were dropped.

use std::collections::HashSet;
use std::sync::Arc;

use super::{ErasureError, KeyId, KeyStore, Sealer, TOMBSTONE};
use crate::erase::keys::Pending;
use crate::{
    Append, AppendId, EventId, EventType, Expected, NewEvent, Position, Read, Selection, Store, StreamAppend,
    StreamName,
};

/// So many tombstones are read at once.
const PAGE: u32 = 1000;

/// A journal and the keys of the people in it. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    store: Store,
    keys: Arc<KeyStore>,
}

/// What an erasure did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erased {
    /// The person's keys are gone.
    Now,
    /// There were none: nothing of the person was sealed, or it was erased before.
    Nothing,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Tombstone {
    keys: Vec<KeyId>,
}

impl Vault {
    /// Joins a journal and its key store, if neither is older than the erasures that are known: those of the exported
    /// list ([`crate::checkpoint::Folder::dropped`]), of the journal's tombstones and of the key store itself. Tombstones
    /// that an interrupted erasure owes are appended.
    ///
    /// # Errors
    /// [`ErasureError::Place`] when keys lie in the folder of the journal's file,
    /// [`ErasureError::DroppedKeysAlive`] when the key store was restored from an older backup,
    /// [`ErasureError::TombstonesMissing`] when the journal was; [`Self::apply`] brings them up to date.
    pub async fn open(store: Store, keys: KeyStore, exported: &[KeyId]) -> Result<Self, ErasureError> {
        Self { store, keys: Arc::new(keys) }.admitted(exported).await
    }

    /// The same for a journal or a key store that was restored from an older backup: what was erased since is erased
    /// again in both.
    ///
    /// # Errors
    /// [`ErasureError::OtherList`] when the lists are not of one journal.
    pub async fn apply(store: Store, keys: KeyStore, exported: &[KeyId]) -> Result<Self, ErasureError> {
        let vault = Self { store, keys: Arc::new(keys) };
        let list = longest(exported, &vault.buried().await?)?;
        vault.keys(move |keys| keys.apply(&list)).await?;
        let buried: HashSet<KeyId> = vault.buried().await?.into_iter().collect();
        for erasure in vault.keys(KeyStore::all_erasures).await? {
            if !erasure.keys.iter().all(|key| buried.contains(key)) {
                vault.bury(erasure).await?;
            }
        }
        vault.admitted(exported).await
    }

    /// What seals and opens the journal's events.
    #[must_use]
    pub fn sealer(&self) -> Sealer {
        Sealer::new(self.keys.clone())
    }

    /// The journal.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The ids of all keys that were dropped, for [`Store::export`].
    ///
    /// # Errors
    /// When the key store does not answer.
    pub async fn dropped(&self) -> Result<Vec<KeyId>, ErasureError> {
        self.keys(KeyStore::dropped).await
    }

    /// Erases a person: drops the keys, removes all snapshots of the journal and appends a tombstone that names the keys
    /// and not the person. Interrupted, it is done by the same call again. Then export a checkpoint, so that the list of
    /// dropped keys is where no restored backup lacks it, and back up the key store anew.
    ///
    /// # Errors
    /// When the key store or the journal does not answer. Once the keys are dropped they stay so.
    pub async fn erase(&self, subject: &str) -> Result<Erased, ErasureError> {
        let subject = subject.to_owned();
        let dropped = self.keys(move |keys| keys.drop_keys_of(&subject)).await?;
        self.announce().await?;
        Ok(if dropped { Erased::Now } else { Erased::Nothing })
    }

    /// Removes the whole data of one event, of whosever it is, and all snapshots; its digest stays, and with it every
    /// proof. In Postgres the old row stays in the table until it is vacuumed; logs and backups keep it.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn erase_data(&self, position: Position) -> Result<Erased, ErasureError> {
        Ok(self.store.erase_data(position).await?)
    }

    /// The vault, if nothing of it is older than the erasures that are known.
    async fn admitted(self, exported: &[KeyId]) -> Result<Self, ErasureError> {
        if let Some(folder) = self.store.backend().folder() {
            self.keys.outside(folder)?;
        }
        let list = longest(exported, &self.buried().await?)?;
        self.keys(move |keys| keys.check(&list)).await?;
        self.announce().await?;
        let buried: HashSet<KeyId> = self.buried().await?.into_iter().collect();
        match self.dropped().await?.iter().filter(|key| !buried.contains(key)).count() {
            0 => Ok(self),
            count => Err(ErasureError::TombstonesMissing { count }),
        }
    }

    /// Appends the tombstones that the journal may lack, the oldest first.
    async fn announce(&self) -> Result<(), ErasureError> {
        for erasure in self.keys(KeyStore::pending).await? {
            self.bury(erasure).await?;
        }
        Ok(())
    }

    async fn bury(&self, erasure: Pending) -> Result<(), ErasureError> {
        // Snapshots may hold what was computed of plain text.
        self.store.backend().remove_snapshots().await?;
        let id = erasure.id;
        self.store.append(tombstone(erasure)?).await?;
        self.keys(move |keys| keys.announced(&id)).await
    }

    /// The keys that the journal's tombstones name, in their order.
    async fn buried(&self) -> Result<Vec<KeyId>, ErasureError> {
        let unreadable = |_| ErasureError::Data { reason: "a tombstone is none" };
        let (mut keys, mut seen) = (Vec::new(), HashSet::new());
        let selection = Selection::Types(vec![
            EventType::new(TOMBSTONE).map_err(|_| ErasureError::Data { reason: "a tombstone has no name" })?,
        ]);
        let mut pages = self.store.pages(Read { selection, ..Read::all_after(Position::START, PAGE) });
        while let Some(events) = pages.next().await? {
            for data in events.iter().filter_map(|event| event.data.as_ref()) {
                let tombstone: Tombstone = serde_json::from_slice(data).map_err(unreadable)?;
                keys.extend(tombstone.keys.into_iter().filter(|key| seen.insert(*key)));
            }
        }
        Ok(keys)
    }

    /// Runs something on the key store, which blocks.
    async fn keys<T: Send + 'static>(
        &self,
        work: impl FnOnce(&KeyStore) -> Result<T, ErasureError> + Send + 'static,
    ) -> Result<T, ErasureError> {
        let keys = self.keys.clone();
        tokio::task::spawn_blocking(move || work(&keys)).await.map_err(|_| crate::Error::Closed)?
    }
}

impl Store {
    /// Removes the whole data of one event and all snapshots; its digest stays, and with it every proof. In Postgres the
    /// old row stays in the table until it is vacuumed; logs and backups keep it.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn erase_data(&self, position: Position) -> Result<Erased, crate::Error> {
        let erased = self.backend().erase_data(position).await?;
        Ok(if erased { Erased::Now } else { Erased::Nothing })
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Vault").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// The event that says that keys were dropped. The erasure is its identity, so that it is appended once.
fn tombstone(erasure: Pending) -> Result<Append, ErasureError> {
    let data = serde_json::to_vec(&Tombstone { keys: erasure.keys });
    let data = data.map_err(|_| ErasureError::Data { reason: "a tombstone cannot be written" })?;
    let name = |_| ErasureError::Data { reason: "a tombstone has no name" };
    let event_type = EventType::new(TOMBSTONE).map_err(name)?;
    let event = NewEvent { id: EventId::from_uuid(erasure.id), ..NewEvent::new(event_type, data) };
    let stream = StreamName::new(format!("erasure-{}", erasure.id)).map_err(name)?;
    let streams = vec![StreamAppend { stream, expected: Expected::Any, events: vec![event] }];
    Ok(Append { id: AppendId::from_uuid(erasure.id), streams, guards: Vec::new() })
}

/// The longer one of two lists, of which one must be the beginning of the other.
fn longest(one: &[KeyId], other: &[KeyId]) -> Result<Vec<KeyId>, ErasureError> {
    let (longer, shorter) = if one.len() >= other.len() { (one, other) } else { (other, one) };
    if longer.starts_with(shorter) { Ok(longer.to_vec()) } else { Err(ErasureError::OtherList) }
}
