//! Which complete subtrees the digests of a proof are made of, and what has to be read for them.
//!
//! Pure: whoever proves something fetches the [`Span`]s from the store. With the roots of complete subtrees of 256,
//! 65,536, ... leaves at hand no span holds more than 128 digests, however long the journal is.

use super::frontier::node_of;
use super::{Digest, Frontier};

/// How many levels of the tree lie between two kinds of stored roots.
pub(crate) const TILE_LEVELS: u8 = 8;

/// The root of a complete subtree that is stored beside the leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    /// 1 for 256 leaves, 2 for 65,536, and so on.
    pub(crate) level: u8,
    /// Its number among those of its level, from 0.
    pub(crate) index: u64,
    /// Its root.
    pub(crate) root: Digest,
}

/// Neighbouring digests of one level: leaves at level 0, else roots of tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The level, as in [`Tile::level`].
    pub(crate) level: u8,
    /// The first one's number, from 0.
    pub(crate) first: u64,
    /// How many; a power of two, at most 128.
    pub(crate) count: u64,
}

/// The leaves from `first` up to before `end`, as a tree of their own: a node of the whole tree, or what it ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u64,
    pub(crate) end: u64,
}

impl Range {
    /// What to read: the complete subtrees that the range consists of, the largest first.
    pub(crate) fn spans(self) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut first = self.first;
        while first < self.end {
            // At most 63.
            let level = (self.end - first).ilog2().to_le_bytes()[0];
            let below = level % TILE_LEVELS;
            spans.push(Span { level: level / TILE_LEVELS, first: first >> (level - below), count: 1 << below });
            first += 1 << level;
        }
        spans
    }

    /// The root over the range, from what was read for its spans in their order; none where that is not complete.
    pub(crate) fn root(self, read: &mut impl Iterator<Item = Vec<Digest>>) -> Option<Digest> {
        let mut roots = Vec::new();
        for span in self.spans() {
            let digests = read.next()?;
            if digests.len() as u64 != span.count {
                return None;
            }
            let mut subtree = Frontier::empty();
            digests.into_iter().for_each(|digest| subtree.push(digest));
            roots.push(subtree.root());
        }
        roots.into_iter().rev().reduce(|right, left| node_of(&left, &right))
    }
}

/// The largest power of two below a number, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The ranges whose roots are the inclusion proof of one leaf (`PATH` of RFC 6962, section 2.1.1).
pub(crate) fn inclusion(index: u64, size: u64) -> Vec<Range> {
    let mut ranges = Vec::new();
    let (mut first, mut end) = (0, size);
    while end - first > 1 {
        let middle = first + split(end - first);
        let (inside, beside) =
            if index < middle { ((first, middle), (middle, end)) } else { ((middle, end), (first, middle)) };
        ranges.push(Range { first: beside.0, end: beside.1 });
        (first, end) = inside;
    }
    ranges.reverse();
    ranges
}

/// The ranges whose roots are the proof that a tree extends a smaller one (`PROOF` of RFC 6962, section 2.1.2).
pub(crate) fn consistency(from: u64, to: u64) -> Vec<Range> {
    let mut ranges = Vec::new();
    if from == 0 || from >= to {
        return ranges;
    }
    let (mut first, mut end) = (0, to);
    while from != end {
        let middle = first + split(end - first);
        let (inside, beside) =
            if from <= middle { ((first, middle), (middle, end)) } else { ((middle, end), (first, middle)) };
        ranges.push(Range { first: beside.0, end: beside.1 });
        (first, end) = inside;
    }
    // A smaller tree that is itself a node is known to whoever checks.
    if first != 0 {
        ranges.push(Range { first, end });
    }
    ranges.reverse();
    ranges
}
