//! What makes a change of the stored journal visible: canonical bytes, a chain, a Merkle tree.

mod canonical;
mod digest;
mod frontier;
mod link;

pub(crate) use canonical::Canonical;
pub use digest::Digest;
pub use frontier::Frontier;
pub(crate) use link::Link;
