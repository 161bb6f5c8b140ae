//! Proofs over the Merkle tree of all leaves, and how they are checked (RFC 6962, section 2.1; the iterative form of
//! RFC 9162, sections 2.1.3.2 and 2.1.4.2).
//!
//! Checking needs no journal: a leaf or two roots, and the proof. Whatever a proof holds, checking it never panics.

use serde::{Deserialize, Serialize};

use super::Digest;
use super::frontier::node_of;
use crate::Position;

/// The most digests of a proof: a tree of 2^64 leaves has no longer path.
const PATH_MAX: usize = 65;

/// Shows that one event stands at its position in a tree of some size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InclusionProof {
    /// The event's position, from 1.
    pub position: Position,
    /// How many events the tree holds.
    pub size: u64,
    /// The roots beside the path from the leaf to the root, the lowest first.
    pub path: Vec<Digest>,
}

/// Shows that a tree begins with all leaves of a smaller one, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyProof {
    /// How many events the smaller tree holds.
    pub from: u64,
    /// How many the larger one holds.
    pub to: u64,
    /// The roots that both are made of, as in RFC 6962, section 2.1.2.
    pub path: Vec<Digest>,
}

impl InclusionProof {
    /// The root of the tree in which the event's leaf stands at this position; none where the proof cannot be one.
    /// Compare it with the root of a signed checkpoint of the same size.
    #[must_use]
    pub fn root(&self, leaf: &Digest) -> Option<Digest> {
        let index = self.position.number().checked_sub(1)?;
        if index >= self.size || self.path.len() > PATH_MAX {
            return None;
        }
        let (mut node, mut last) = (index, self.size - 1);
        let mut root = *leaf;
        for beside in &self.path {
            if last == 0 {
                return None;
            }
            if node & 1 == 1 || node == last {
                root = node_of(beside, &root);
                while node & 1 == 0 && node != 0 {
                    (node, last) = (node >> 1, last >> 1);
                }
            } else {
                root = node_of(&root, beside);
            }
            (node, last) = (node >> 1, last >> 1);
        }
        (last == 0).then_some(root)
    }

    /// Whether an event with this leaf stands at the position in the tree with this root.
    #[must_use]
    pub fn holds(&self, leaf: &Digest, root: &Digest) -> bool {
        self.root(leaf).as_ref() == Some(root)
    }
}

impl ConsistencyProof {
    /// Whether the tree with the root `to` begins with the one with the root `from`.
    #[must_use]
    pub fn holds(&self, from: &Digest, to: &Digest) -> bool {
        if self.path.len() > PATH_MAX || self.from > self.to {
            return false;
        }
        if self.from == self.to {
            return self.path.is_empty() && from == to;
        }
        if self.from == 0 {
            return self.path.is_empty() && *from == Digest::of(&[]);
        }
        let mut path = self.path.iter();
        let first = if self.from.is_power_of_two() { Some(from) } else { path.next() };
        let Some(first) = first else { return false };
        let (mut node, mut last) = (self.from - 1, self.to - 1);
        while node & 1 == 1 {
            (node, last) = (node >> 1, last >> 1);
        }
        let (mut smaller, mut larger) = (*first, *first);
        for beside in path {
            if last == 0 {
                return false;
            }
            if node & 1 == 1 || node == last {
                smaller = node_of(beside, &smaller);
                larger = node_of(beside, &larger);
                while node & 1 == 0 && node != 0 {
                    (node, last) = (node >> 1, last >> 1);
                }
            } else {
                larger = node_of(&larger, beside);
            }
            (node, last) = (node >> 1, last >> 1);
        }
        last == 0 && smaller == *from && larger == *to
    }
}

#[cfg(test)]
mod tests;
