//! Signed statements of what the journal was, kept where whoever edits the journal cannot reach.
//!
//! A chain alone shows nothing against somebody who writes all of it anew. A checkpoint says how many events there were
//! and what their tree's root was, is signed by a key outside the journal's folder, and lies in a folder of another
//! trust domain: an object store with a lock, another machine, a repository. Each one must extend the last one.
//!
//! ```no_run
//! # use std::path::Path;
//! # use atalaya_eventstore::Store;
//! # use atalaya_eventstore::checkpoint::{Folder, SigningKey, create_key};
//! # use atalaya_eventstore::verify::{Verdict, verify};
//! # async fn example(store: &Store) -> Result<(), Box<dyn std::error::Error>> {
//! let (state, key) = (Path::new("/var/lib/atalaya"), Path::new("/etc/atalaya/signing.key"));
//! create_key(key, &[state])?; // once; never inside the state folder
//!
//! let key = SigningKey::open(key, &[state])?;
//! let public = key.verifying(&store.origin().await?)?; // keep its text where the journal's owner cannot change it
//! let folder = Folder::open(Path::new("/mnt/audit/journal"), vec![public])?;
//! store.export(&folder, &key, &[]).await?; // again and again: it refuses a journal that does not continue the last one
//!
//! let report = verify(store, Some(&folder)).await?;
//! assert_eq!(report.verdict, Verdict::Intact);
//! # Ok(())
//! # }
//! ```
//!
//! Formats: C2SP `tlog-checkpoint` in a C2SP `signed-note`, C2SP `tlog-proof` for proofs that stand alone; the tree is that
//! of RFC 6962 over the leaves of the events. Other programs read all three.

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
