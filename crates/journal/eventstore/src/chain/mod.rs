//! What makes a change of the stored journal visible: canonical bytes, a chain, a Merkle tree.

mod canonical;
mod digest;
mod frontier;
mod link;
mod proof;
mod subtree;

pub(crate) use canonical::Canonical;
pub use digest::{Digest, NotADigest};
pub use frontier::Frontier;
#[cfg(test)]
pub(crate) use frontier::node_of;
pub(crate) use link::{Link, data_digest};
pub use proof::{ConsistencyProof, InclusionProof};
pub(crate) use subtree::{Range, Span, Tile, consistency, inclusion};
