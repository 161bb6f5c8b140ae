//! What can go wrong with checkpoints.

use std::path::PathBuf;

use crate::secret::{PlaceError, SecretFileError};

/// What can go wrong with checkpoints.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The signing key's file.
    #[error("the signing key cannot be used")]
    KeyFile(#[from] SecretFileError),
    /// The signing key lies where it must not.
    #[error("the signing key lies where the journal is: whoever edits the journal could sign it again")]
    KeyPlace(#[from] PlaceError),
    /// The file holds no Ed25519 key, or the system made none.
    #[error("the signing key's file holds no Ed25519 key in PKCS#8")]
    NotAKey,
    /// The system gave no random bytes.
    #[error("the system gives no random bytes for a key")]
    NoRandomness,
    /// A text is not what it should be.
    #[error("{what} is not well formed: {reason}")]
    Malformed {
        /// What was read: a signed note, a checkpoint, a key, a proof.
        what: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No signature of the known key, or one that is not its own.
    #[error("the checkpoint is not signed by the key `{key}`")]
    Unsigned {
        /// The key's name and id.
        key: String,
    },
    /// Another journal's.
    #[error("the checkpoint is one of `{found}`, not of `{expected}`")]
    OtherJournal {
        /// What it says.
        found: String,
        /// The journal's own.
        expected: String,
    },
    /// The journal does not extend what was exported: it was cut, edited, forked or restored.
    #[error(
        "the journal does not continue the exported checkpoint of {exported} events: {seen}. It was cut, edited, forked or restored from a backup; nothing was exported"
    )]
    NotAnExtension {
        /// The last exported checkpoint's size.
        exported: u64,
        /// How that shows.
        seen: &'static str,
    },
    /// A file of the folder.
    #[error("`{}` cannot be {action}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The folder holds something that no export left there.
    #[error("`{}` is not what was exported: {seen}", path.display())]
    Folder {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        seen: &'static str,
    },
    /// The journal.
    #[error("the journal cannot be read")]
    Journal(#[from] crate::Error),
}
