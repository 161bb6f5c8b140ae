//! Proofs of small trees against the definition of RFC 6962, of larger ones through stored subtrees.

use proptest::prelude::*;

use super::super::frontier::tests::root_by_definition;
use super::super::subtree::{Range, Span, TILE_LEVELS, Tile, consistency, inclusion};
use super::super::{Digest, Frontier};
use super::*;

/// A journal's leaves and what is stored beside them.
struct Tree {
    leaves: Vec<Digest>,
    tiles: Vec<Tile>,
}

impl Tree {
    fn of(size: u32) -> Self {
        let leaves: Vec<Digest> = (0..size).map(|n| Digest::of(&[&n.to_be_bytes()])).collect();
        let mut frontier = Frontier::empty();
        let mut tiles = Vec::new();
        leaves.iter().for_each(|leaf| frontier.push_completing(*leaf, |tile| tiles.push(tile)));
        Self { leaves, tiles }
    }

    fn read(&self, span: Span) -> Vec<Digest> {
        assert!(span.count < 1 << TILE_LEVELS);
        (span.first..span.first + span.count)
            .map(|index| match span.level {
                0 => self.leaves[usize::try_from(index).unwrap()],
                level => self.tiles.iter().find(|tile| tile.level == level && tile.index == index).unwrap().root,
            })
            .collect()
    }

    fn path(&self, ranges: Vec<Range>) -> Vec<Digest> {
        let mut read = ranges.iter().flat_map(|range| range.spans()).map(|span| self.read(span));
        ranges.iter().map(|range| range.root(&mut read).unwrap()).collect()
    }

    fn inclusion(&self, index: u64, size: u64) -> InclusionProof {
        InclusionProof { position: Position::new(index + 1), size, path: self.path(inclusion(index, size)) }
    }

    fn consistency(&self, from: u64, to: u64) -> ConsistencyProof {
        ConsistencyProof { from, to, path: self.path(consistency(from, to)) }
    }

    fn root(&self, size: u64) -> Digest {
        root_by_definition(&self.leaves[..usize::try_from(size).unwrap()])
    }
}

#[test]
fn every_leaf_of_every_small_tree_is_proven_and_no_other_leaf_is() {
    let tree = Tree::of(40);
    for size in 1..=40 {
        for index in 0..size {
            let proof = tree.inclusion(index, size);
            let leaf = &tree.leaves[usize::try_from(index).unwrap()];
            assert!(proof.holds(leaf, &tree.root(size)), "{index} of {size}");
            assert!(!proof.holds(&Digest::ZERO, &tree.root(size)));
            let elsewhere = InclusionProof { position: Position::new((index + 1) % size + 1), ..proof.clone() };
            assert!(size == 1 || !elsewhere.holds(leaf, &tree.root(size)));
        }
    }
}

#[test]
fn every_small_tree_extends_every_smaller_one_and_nothing_else() {
    let tree = Tree::of(40);
    let mut other = Tree::of(40);
    other.leaves[0] = Digest::ZERO;
    for to in 0..=40 {
        for from in 0..=to {
            let proof = tree.consistency(from, to);
            assert!(proof.holds(&tree.root(from), &tree.root(to)), "{from} to {to}");
            if from > 0 {
                assert!(!proof.holds(&other.root(from), &tree.root(to)), "{from} to {to}");
                assert!(!proof.holds(&tree.root(from), &other.root(to)), "{from} to {to}");
            }
        }
    }
}

#[test]
fn proofs_of_a_tree_with_tiles_read_few_digests() {
    let tree = Tree::of(70_000);
    assert_eq!(tree.tiles.iter().filter(|tile| tile.level == 1).count(), 273);
    assert_eq!(tree.tiles.iter().filter(|tile| tile.level == 2).count(), 1);
    let root = tree.root(70_000);
    for index in [0, 255, 256, 65_535, 65_536, 69_999] {
        assert!(tree.inclusion(index, 70_000).holds(&tree.leaves[usize::try_from(index).unwrap()], &root));
        assert!(tree.consistency(index, 70_000).holds(&tree.root(index), &root));
        let read: u64 = inclusion(index, 70_000).iter().flat_map(|range| range.spans()).map(|span| span.count).sum();
        assert!(read < 1024, "{read} digests for the leaf {index}");
    }
}

#[test]
fn the_tree_of_rfc_6962_gives_its_examples() {
    // Section 2.1.3: seven leaves d0..d6; the proof of d3 is [c, g, l], of d4 [f, j, k], of d6 [i, k].
    let tree = Tree::of(7);
    let leaf = |n: usize| tree.leaves[n];
    let (g, h, i) = (node_of(&leaf(0), &leaf(1)), node_of(&leaf(2), &leaf(3)), node_of(&leaf(4), &leaf(5)));
    let (k, l) = (node_of(&g, &h), node_of(&i, &leaf(6)));
    assert_eq!(tree.inclusion(3, 7).path, [leaf(2), g, l]);
    assert_eq!(tree.inclusion(4, 7).path, [leaf(5), leaf(6), k]);
    assert_eq!(tree.inclusion(6, 7).path, [i, k]);
    assert_eq!(tree.consistency(3, 7).path, [leaf(2), leaf(3), g, l]);
    assert_eq!(tree.consistency(4, 7).path, [l]);
    assert_eq!(tree.consistency(6, 7).path, [i, leaf(6), k]);
}

fn digests() -> impl Strategy<Value = Vec<Digest>> {
    proptest::collection::vec(any::<[u8; 32]>().prop_map(Digest::from_bytes), 0..70)
}

proptest! {
    #[test]
    fn no_proof_makes_a_check_panic(position: u64, size: u64, from: u64, to: u64, path in digests()) {
        let inclusion = InclusionProof { position: Position::new(position), size, path: path.clone() };
        prop_assert!(!inclusion.holds(&Digest::ZERO, &Digest::ZERO));
        let consistency = ConsistencyProof { from, to, path };
        let _ = consistency.holds(&Digest::ZERO, &Digest::of(&[]));
    }

    #[test]
    fn no_text_makes_the_decoders_panic(text: String) {
        let _ = serde_json::from_str::<InclusionProof>(&text);
        let _ = serde_json::from_str::<ConsistencyProof>(&text);
    }

    #[test]
    fn a_changed_proof_does_not_hold(index in 0_u64..300, more in 0_u64..300, at: prop::sample::Index, bit in 0_u8..8) {
        let tree = Tree::of(600);
        let size = index + 1 + more;
        let mut proof = tree.inclusion(index, size);
        let leaf = tree.leaves[usize::try_from(index).unwrap()];
        prop_assert!(proof.holds(&leaf, &tree.root(size)));
        prop_assert_eq!(&serde_json::from_str::<InclusionProof>(&serde_json::to_string(&proof).unwrap()).unwrap(), &proof);
        if !proof.path.is_empty() {
            let changed = at.index(proof.path.len());
            let mut bytes = *proof.path[changed].as_bytes();
            bytes[usize::from(bit)] ^= 1 << bit;
            proof.path[changed] = Digest::from_bytes(bytes);
            prop_assert!(!proof.holds(&leaf, &tree.root(size)));
        }
    }
}
