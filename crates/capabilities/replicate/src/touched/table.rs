//! The notes of one table: which keys wait to be written down, and which stand on the target already.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use atalaya_control::touched::{KeyBlock, write_key};
use atalaya_data::RelationName;
use atalaya_pgwire::pgoutput::{Tuple, Value};

use crate::apply::{Change, ChangeKind, TargetTable};

/// Two hashes of a key under seeds of their own: a key is taken for noted by these 128 bits.
pub(super) type KeyHash = (u64, u64);

/// The seeds; new ones in each run.
#[derive(Debug, Default)]
pub(super) struct Seeds(RandomState, RandomState);

impl Seeds {
    fn hash(&self, key: &[u8]) -> KeyHash {
        (self.0.hash_one(key), self.1.hash_one(key))
    }
}

/// Whether the table is noted as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    /// Its keys are noted one by one.
    No,
    /// It has to be noted as a whole, in this transaction or a later one.
    Wanted,
    /// A note says so that is committed since the last fence: its keys are of no interest until the next.
    Stored,
}

/// One table that has been proven, or is being proven.
#[derive(Debug)]
pub(super) struct TableNotes {
    /// The target's table.
    pub(super) name: RelationName,
    /// Keys after which the table is noted as a whole.
    pub(super) keys_max: u64,
    /// Keys on the target, as far as this run knows.
    pub(super) stored: u64,
    pub(super) whole: Whole,
    /// Blocks to be written.
    pub(super) blocks: Vec<KeyBlock>,
    columns: Vec<String>,
    bound: Option<Arc<TargetTable>>,
    /// Keys in `blocks`.
    pending: HashSet<KeyHash>,
    /// Keys written in the open transaction.
    written: Vec<KeyHash>,
    /// Keys that stand on the target since the last fence: nothing has proven them meanwhile.
    known: HashSet<KeyHash>,
}

impl TableNotes {
    pub(super) fn new(name: RelationName, keys_max: u64, stored: u64) -> Self {
        Self {
            name,
            keys_max,
            stored,
            whole: Whole::No,
            blocks: Vec::new(),
            columns: Vec::new(),
            bound: None,
            pending: HashSet::new(),
            written: Vec::new(),
            known: HashSet::new(),
        }
    }

    /// Whether something is to be written.
    pub(super) fn is_pending(&self) -> bool {
        self.whole == Whole::Wanted || !self.blocks.is_empty()
    }

    /// Keys that wait to be written.
    pub(super) fn keys_pending(&self) -> u64 {
        self.blocks.iter().map(KeyBlock::keys).sum()
    }

    /// Keys whose hashes are in memory.
    pub(super) fn keys_in_memory(&self) -> usize {
        self.pending.len() + self.written.len() + self.known.len()
    }

    /// Notes what a change touches: its row's key, the old one and the new one.
    pub(super) fn take(&mut self, change: &Change, seeds: &Seeds, scratch: &mut Vec<u8>) {
        if self.whole != Whole::No {
            return;
        }
        if change.table.keyless {
            return self.want_whole();
        }
        self.bind(&change.table);
        match &change.kind {
            ChangeKind::Insert(row) | ChangeKind::Delete(row) => self.take_row(change, row, None, seeds, scratch),
            ChangeKind::Update { old: None, new } => self.take_row(change, new, None, seeds, scratch),
            ChangeKind::Update { old: Some(old), new } => {
                self.take_row(change, old, None, seeds, scratch);
                self.take_row(change, new, Some(old), seeds, scratch);
            }
        }
    }

    /// Notes a key by its values; a NULL in it makes it the whole table.
    pub(super) fn take_values<'a>(
        &mut self,
        values: impl Iterator<Item = Option<&'a [u8]>>,
        seeds: &Seeds,
        scratch: &mut Vec<u8>,
    ) {
        if self.whole != Whole::No {
            return;
        }
        if !write_key(scratch, values) {
            return self.want_whole();
        }
        let hash = seeds.hash(scratch);
        if self.known.contains(&hash) || !self.pending.insert(hash) {
            return;
        }
        if self.blocks.is_empty() {
            match KeyBlock::new(self.columns.iter().map(String::as_str)) {
                Some(block) => self.blocks.push(block),
                None => return self.want_whole(),
            }
        }
        if let Some(block) = self.blocks.last_mut() {
            block.push(scratch);
        }
    }

    /// The columns that the keys noted from here on have.
    pub(super) fn set_columns<'a>(&mut self, columns: impl Iterator<Item = &'a str> + Clone) {
        if self.columns.iter().map(String::as_str).eq(columns.clone()) {
            return;
        }
        // Whoever binds a table to these notes has to say its columns again.
        self.bound = None;
        // Equal values of other columns are other keys.
        self.columns = columns.map(str::to_owned).collect();
        self.pending.clear();
        self.known.clear();
        if self.keys_pending() > 0 {
            match KeyBlock::new(self.columns.iter().map(String::as_str)) {
                Some(block) => self.blocks.push(block),
                None => self.want_whole(),
            }
        }
    }

    /// Has the table noted as a whole: its keys need no note beside that.
    pub(super) fn want_whole(&mut self) {
        if self.whole == Whole::No {
            self.whole = Whole::Wanted;
        }
        self.blocks = Vec::new();
        self.pending = HashSet::new();
        self.known = HashSet::new();
    }

    /// What waited is written, within the open transaction.
    pub(super) fn wrote(&mut self) {
        self.written.extend(self.pending.drain());
        self.blocks.clear();
    }

    /// The transaction that wrote it is committed.
    pub(super) fn committed(&mut self) {
        match self.whole {
            Whole::No => {
                self.stored += self.written.len() as u64;
                self.known.extend(self.written.drain(..));
            }
            Whole::Wanted | Whole::Stored => self.whole = Whole::Stored,
        }
        self.written.clear();
    }

    /// Whatever an earlier transaction wrote and did not commit is not there.
    pub(super) fn rolled_back(&mut self) {
        self.written.clear();
    }

    fn bind(&mut self, table: &Arc<TargetTable>) {
        if self.bound.as_ref().is_some_and(|bound| Arc::ptr_eq(bound, table)) {
            return;
        }
        let name = |position: &usize| table.columns.get(*position).map(|column| column.name.as_str());
        self.set_columns(table.identity.iter().filter_map(name));
        self.bound = Some(Arc::clone(table));
    }

    fn take_row(&mut self, change: &Change, row: &Tuple, old: Option<&Tuple>, seeds: &Seeds, scratch: &mut Vec<u8>) {
        let value = |position: &usize| {
            let value = match (row.values.get(*position), old) {
                // A key so long that it did not travel again is the old one's.
                (Some(Value::UnchangedToast), Some(old)) => old.values.get(*position),
                (value, _) => value,
            };
            match value {
                Some(Value::Text(bytes)) => Some(bytes.as_ref()),
                _ => None,
            }
        };
        self.take_values(change.table.identity.iter().map(value), seeds, scratch);
    }
}
