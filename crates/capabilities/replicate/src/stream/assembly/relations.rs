//! Which description of a relation is in force after a transaction in progress has been played.
//!
//! The source describes a relation again for each transaction that it sends in blocks, and once for all others. Once
//! such a transaction is committed, it takes its last description for known; unless it has sent a later one
//! meanwhile. That one has to be said again then, or later changes would be read by the older.

use std::collections::HashMap;

use atalaya_pgwire::pgoutput::Relation;

use super::kept::KeptRelation;

/// Descriptions that are in force, with their places among all that came on the connection.
#[derive(Debug, Default)]
pub(super) struct Relations {
    next: u64,
    known: HashMap<u32, (u64, Relation)>,
}

impl Relations {
    /// The place of a description that comes now.
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Takes one that is in force at once.
    pub(super) fn say(&mut self, relation: &Relation) {
        let number = self.number();
        self.known.insert(relation.id, (number, relation.clone()));
    }

    /// Takes those of a transaction that is committed; answers with what has to be said again after it.
    pub(super) fn commit(&mut self, kept: &[KeptRelation]) -> Vec<Relation> {
        let mut again = Vec::new();
        let last: HashMap<u32, &KeptRelation> = kept.iter().map(|each| (each.relation.id, each)).collect();
        for (id, kept) in last {
            match self.known.get(&id) {
                Some((number, known)) if *number > kept.number => again.push(known.clone()),
                _ => {
                    self.known.insert(id, (kept.number, kept.relation.clone()));
                }
            }
        }
        again
    }
}
