//! Whether the stored journal is what was appended.
//!
//! Everything is computed anew from what is stored: digests, leaves, chain, tree, versions, the answers of appends, the
//! head. That finds whatever was changed by somebody who did not compute all of it anew as well. Against somebody who did
//! only checkpoints help that lie where he cannot write: see [`crate::checkpoint`].

mod report;
mod run;
mod walk;

pub use report::{Finding, HeldAgainst, Kind, Report, Verdict};
pub use run::{VerifyError, verify};
pub(crate) use walk::{Made, Stored};
