//! The right edge of the Merkle tree over all leaves: enough to add one and to say the root (RFC 6962, section 2.1).

use super::Digest;
use super::subtree::{TILE_LEVELS, Tile};

const NODE: u8 = 1;

/// The roots of the complete subtrees that a tree of so many leaves consists of, the largest first; never more than 64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    roots: Vec<Digest>,
}

impl Frontier {
    /// The tree without leaves.
    #[must_use]
    pub const fn empty() -> Self {
        Self { size: 0, roots: Vec::new() }
    }

    /// How many leaves there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Digest) {
        self.push_completing(leaf, |_| ());
    }

    /// Adds a leaf, and names the subtrees whose roots are to be stored that are complete with it.
    pub(crate) fn push_completing(&mut self, leaf: Digest, mut completed: impl FnMut(Tile)) {
        let mut node = leaf;
        // Each complete pair of equal size becomes one subtree, as a carry does in a sum.
        let mut carry = self.size;
        let mut level: u8 = 0;
        while carry & 1 == 1
            && let Some(left) = self.roots.pop()
        {
            node = node_of(&left, &node);
            carry >>= 1;
            level += 1;
            if level.is_multiple_of(TILE_LEVELS) {
                completed(Tile { level: level / TILE_LEVELS, index: carry, root: node });
            }
        }
        self.roots.push(node);
        self.size = self.size.saturating_add(1);
    }

    /// The tree's root; of no leaves the SHA-256 of nothing.
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut from_right = self.roots.iter().rev();
        let Some(last) = from_right.next() else { return Digest::of(&[]) };
        from_right.fold(*last, |right, left| node_of(left, &right))
    }

    /// As it is stored beside the head: the size, then each root.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        self.roots.iter().for_each(|root| bytes.extend_from_slice(root.as_bytes()));
        bytes
    }

    /// What was stored; none where it is no frontier.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (size, roots) = bytes.split_first_chunk::<8>()?;
        let size = u64::from_be_bytes(*size);
        let (roots, rest) = roots.as_chunks::<32>();
        let whole = rest.is_empty() && roots.len() == size.count_ones() as usize;
        whole.then(|| Self { size, roots: roots.iter().map(|root| Digest::from_bytes(*root)).collect() })
    }
}

/// The node above two.
pub(crate) fn node_of(left: &Digest, right: &Digest) -> Digest {
    Digest::of(&[&[NODE], left.as_bytes(), right.as_bytes()])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The definition of RFC 6962, word by word.
    pub(in super::super) fn root_by_definition(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest::of(&[]),
            [leaf] => *leaf,
            _ => {
                let left = leaves.len().next_power_of_two() / 2;
                node_of(&root_by_definition(&leaves[..left]), &root_by_definition(&leaves[left..]))
            }
        }
    }

    #[test]
    fn roots_are_those_of_the_definition_and_survive_being_stored() {
        let leaves: Vec<Digest> = (0_u32..200).map(|n| Digest::of(&[&n.to_be_bytes()])).collect();
        let mut frontier = Frontier::empty();
        for size in 0..leaves.len() {
            assert_eq!(frontier.root(), root_by_definition(&leaves[..size]), "size {size}");
            frontier = Frontier::from_bytes(&frontier.to_bytes()).unwrap();
            frontier.push(leaves[size]);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            if let Some(frontier) = Frontier::from_bytes(&bytes) {
                proptest::prop_assert_eq!(frontier.to_bytes(), bytes);
            }
        }
    }
}
