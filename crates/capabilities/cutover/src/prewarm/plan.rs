//! Which blocks are read on the other side, decided of what is cached on this one.
//!
//! A table was copied in the order of its blocks, and what came later stands behind it, as it does here: so a block corresponds
//! roughly to the one at the same place of the relation, and to no block exactly (dead rows are gone; large tables were copied
//! in ranges side by side). Hence each relation is cut into [`SLICES`] equal parts. As many blocks are read as the same share
//! of the relation is cached here, from the parts of which most is cached here; of equal ones the last first, where new rows
//! are. An index was built anew and lies in the order of its keys: one that is cached at least by half is read whole.
//!
//! Relations that are used most come first, so that what a limit cuts off is what was used least. No more than three quarters
//! of the other side's cache are filled: what it needs for itself, and for the changes that it applies, stays in.

use std::collections::HashMap;

use super::Outlook;

/// Into how many parts a relation is cut.
pub(super) const SLICES: usize = 32;
/// As much of a cache is filled.
const FILLED: (u64, u64) = (3, 4);

/// A relation under a name that holds on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) schema: String,
    pub(super) name: String,
    /// 0 for itself, 1 for its TOAST table, 2 for the index of that.
    pub(super) part: i32,
}

/// What is cached of a relation on the side that is left.
#[derive(Clone, Debug)]
pub(super) struct Cached {
    key: Key,
    is_index: bool,
    blocks: u64,
    slices: [u64; SLICES],
    usage: u64,
    fsm: u64,
    vm: u64,
}

/// The relation of the same name on the other side.
#[derive(Clone, Copy, Debug)]
pub(super) struct There {
    pub(super) oid: u32,
    pub(super) blocks: u64,
    pub(super) fsm_blocks: u64,
    pub(super) vm_blocks: u64,
}

/// The other side.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) relations: HashMap<Key, There>,
    /// Blocks of its whole cache.
    pub(super) buffers: u64,
    pub(super) block_bytes: u64,
}

/// A fork as `pg_prewarm` calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fork {
    Main,
    Fsm,
    Vm,
}

impl Fork {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Fsm => "fsm",
            Self::Vm => "vm",
        }
    }
}

/// Blocks of one fork that are read, from the first to the last but one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) fork: Fork,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// One relation, and what is read of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) oid: u32,
    /// For people.
    pub(super) name: String,
    pub(super) ranges: Vec<Range>,
}

/// All that is read, in its order.
#[derive(Debug, Default)]
pub(super) struct Load {
    pub(super) pieces: Vec<Piece>,
    pub(super) block_bytes: u64,
    cached_blocks: u64,
    absent: u64,
    is_cut: bool,
}

impl Cached {
    pub(super) const fn new(key: Key, is_index: bool, blocks: u64) -> Self {
        Self { key, is_index, blocks, slices: [0; SLICES], usage: 0, fsm: 0, vm: 0 }
    }

    /// Takes what is cached of one fork: its number as the server has it, the slice, how many blocks, how often they are used.
    pub(super) fn add(&mut self, fork: i32, slice: usize, count: u64, usage: u64) {
        match fork {
            1 => self.fsm += count,
            2 => self.vm += count,
            _ => {
                if let Some(cached) = self.slices.get_mut(slice) {
                    *cached += count;
                    self.usage += usage;
                }
            }
        }
    }

    fn cached(&self) -> u64 {
        self.slices.iter().sum()
    }

    /// How many blocks of the relation there correspond to what is cached.
    fn wanted(&self, there: u64) -> u64 {
        let (cached, blocks) = (self.cached().min(self.blocks), self.blocks.max(1));
        if self.is_index && cached * 2 >= blocks {
            return there;
        }
        (there * cached).div_ceil(blocks)
    }

    /// Which ones, `room` of them at most.
    fn ranges(&self, there: &There, room: u64) -> Vec<Range> {
        let mut left = self.wanted(there.blocks).min(room);
        let mut slices: Vec<(usize, u64)> = self.slices.iter().copied().enumerate().collect();
        // All are of one size, but for a block.
        slices.sort_unstable_by_key(|(place, cached)| std::cmp::Reverse((*cached, *place)));
        let edge = |place: usize| there.blocks * place as u64 / SLICES as u64;
        let mut ranges = Vec::new();
        for (place, _) in slices {
            let (from, to) = (edge(place), edge(place + 1));
            let taken = left.min(to - from);
            if taken > 0 {
                ranges.push(Range { fork: Fork::Main, from: to - taken, to });
                left -= taken;
            }
        }
        ranges
    }
}

/// Joins what touches, in the order of blocks: a disk reads those best.
fn joined(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable_by_key(|range| range.from);
    let mut joined: Vec<Range> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if last.to == range.from => last.to = range.to,
            _ => joined.push(range),
        }
    }
    joined
}

/// Decides what is read.
pub(super) fn plan(mut cached: Vec<Cached>, room: &Room) -> Load {
    let mut load = Load { block_bytes: room.block_bytes, ..Load::default() };
    // By the mean use of a block; the name only makes it the same each time.
    cached.sort_unstable_by(|one, other| {
        let (left, right) = (one.usage * other.cached(), other.usage * one.cached());
        right.cmp(&left).then(other.cached().cmp(&one.cached())).then_with(|| one.key.cmp(&other.key))
    });
    let mut left = room.buffers * FILLED.0 / FILLED.1;
    for relation in &cached {
        load.cached_blocks += relation.cached() + relation.fsm + relation.vm;
        let Some(there) = room.relations.get(&relation.key) else {
            load.absent += 1;
            continue;
        };
        let mut ranges = Vec::new();
        for (fork, is_cached, blocks) in
            [(Fork::Vm, relation.vm > 0, there.vm_blocks), (Fork::Fsm, relation.fsm > 0, there.fsm_blocks)]
        {
            if is_cached && blocks > 0 && blocks <= left {
                ranges.push(Range { fork, from: 0, to: blocks });
                left -= blocks;
            }
        }
        load.is_cut |= relation.wanted(there.blocks) > left;
        let main = joined(relation.ranges(there, left));
        left -= main.iter().map(|range| range.to - range.from).sum::<u64>();
        ranges.extend(main);
        if !ranges.is_empty() {
            let Key { schema, name, part } = &relation.key;
            let name = if *part == 0 { format!("{schema}.{name}") } else { format!("TOAST of {schema}.{name}") };
            load.pieces.push(Piece { oid: there.oid, name, ranges });
        }
    }
    load
}

impl Load {
    pub(super) fn bytes(&self) -> u64 {
        let ranges = self.pieces.iter().flat_map(|piece| &piece.ranges);
        ranges.map(|range| range.to - range.from).sum::<u64>() * self.block_bytes
    }

    pub(super) fn outlook(&self) -> Outlook {
        Outlook {
            relations: self.pieces.len() as u64,
            planned_bytes: self.bytes(),
            cached_bytes: self.cached_blocks * self.block_bytes,
            absent: self.absent,
            is_cut: self.is_cut,
        }
    }
}

#[cfg(test)]
mod tests;
