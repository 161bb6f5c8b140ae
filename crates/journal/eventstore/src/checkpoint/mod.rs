//! Signed statements of what the journal was, kept where whoever edits the journal cannot reach.
//!
//! A chain alone shows nothing against somebody who writes all of it anew. A checkpoint says how many events there were
//! and what their tree's root was, is signed by a key outside the journal's folder, and lies in a folder of another
//! trust domain: an object store with a lock, another machine, a repository. Each one must extend the last one.

mod body;
mod error;
mod folder;
mod key;
mod note;
mod prove;
mod tlog_proof;

pub use body::{Checkpoint, DroppedDigest};
pub use error::CheckpointError;
pub use folder::{Exported, Folder};
pub use key::{SigningKey, VerifyingKey, create_key};
pub use note::SignedNote;
pub use tlog_proof::TlogProof;
