//! Changes that do not find on the target what they found on the source.
//!
//! Somebody else wrote to the target. What is done then is a policy of each table: `stop`, or one of three by which a
//! row wins. A conflict that is settled is written down in the transaction that settles it, so that it counts once; one
//! that stops the run is written down after its transaction was rolled back. Values are kept only where asked for.

mod foreign_key;
mod kind;
mod list;
mod policy;
mod record;

pub use list::{ConflictCount, ConflictRow, conflicts};

pub(crate) use foreign_key::ForeignKeys;
pub(crate) use kind::{Conflict, ConflictKind, Resolution};
pub(crate) use list::read_counts;
pub(crate) use policy::{Policy, refuse_policies, settle_policies};
pub(crate) use record::{Recorder, Values};
