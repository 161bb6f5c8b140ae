//! What can go wrong with people's data and their keys.

use crate::erase::KeyId;
use crate::secret::{PlaceError, SecretFileError};

/// What can go wrong with people's data and their keys. Never says whose.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// The key store or its master key lies where it must not.
    #[error("the keys lie where a copy or an edit would take them along with what they protect")]
    Place(#[from] PlaceError),
    /// The master key's file.
    #[error("the master key cannot be used")]
    MasterFile(#[from] SecretFileError),
    /// No file holds the master key that the key store is wrapped by.
    #[error(
        "the key store is wrapped by another master key than the one in its file: one of them was restored from an older backup"
    )]
    OtherMaster,
    /// The key store.
    #[error("{action} failed in the key store")]
    Sqlite {
        /// What was being done.
        action: &'static str,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// A file of the key store cannot be made.
    #[error("the key store cannot be made: a file of it is there already, or its folder is not")]
    NotMade,
    /// A later version of the program wrote it, or it is none.
    #[error("it is no key store of this program (format {found})")]
    Format {
        /// What stands there.
        found: i64,
    },
    /// What is stored in it is not what this program stores.
    #[error("the key store is damaged: {seen}")]
    Damaged {
        /// What was seen.
        seen: &'static str,
    },
    /// Readers kept the files of the key store from being emptied of old pages. The key is dropped; the same again
    /// empties them.
    #[error("the key was dropped, but somebody reads the key store and its old pages could not be removed yet")]
    Busy,
    /// The system gave no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
    /// The subject's name cannot be one.
    #[error("a subject's name has from 1 to {max} bytes")]
    Subject {
        /// The most bytes.
        max: usize,
    },
    /// An event's data is not JSON, or a sealed field in it is none.
    #[error("the data cannot be sealed or opened: {reason}")]
    Data {
        /// What is wrong.
        reason: &'static str,
    },
    /// A sealed field was changed.
    #[error("a field sealed under the key `{key}` does not open: it was changed")]
    Changed {
        /// The key's id.
        key: KeyId,
    },
    /// A key is neither there nor dropped: the key store is older than the journal, or another one.
    #[error(
        "the key `{key}` is neither in the key store nor dropped: the key store is another one, or an older backup"
    )]
    UnknownKey {
        /// The key's id.
        key: KeyId,
    },
    /// Keys that were dropped are in the key store: it was restored from an older backup.
    #[error(
        "{count} keys that were dropped are missing in the key store's list or alive: it was restored from a backup; apply the list of dropped keys first"
    )]
    DroppedKeysAlive {
        /// How many.
        count: usize,
    },
    /// The journal lacks tombstones of keys that were dropped: it was restored from an older backup.
    #[error(
        "{count} dropped keys have no tombstone in the journal: it was restored from a backup; apply the list of dropped keys first"
    )]
    TombstonesMissing {
        /// How many.
        count: usize,
    },
    /// Two lists of dropped keys contradict each other.
    #[error("the lists of dropped keys contradict each other: they are not of the same journal")]
    OtherList,
    /// The journal.
    #[error("the journal did not take part")]
    Journal(#[from] crate::Error),
}

pub(super) fn failed(action: &'static str) -> impl FnOnce(rusqlite::Error) -> ErasureError {
    move |source| ErasureError::Sqlite { action, source }
}
