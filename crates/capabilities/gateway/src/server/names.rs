//! Which prepared statements a server's session holds, under names of the gateway's own.
//!
//! Clients call different statements by the same name, so each server numbers them. The least used ones make room, when
//! there are too many, and when their texts are too large together: the server holds a plan of each.

use std::collections::HashMap;

/// No client's statement may be called so.
pub(crate) const RESERVED_PREFIX: &[u8] = b"atalaya:";

/// All texts of the statements at one server together; the one that came last may be larger alone.
const BYTES_MAX: usize = 64 << 20;

/// A statement's name at one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatementName(Box<[u8]>);

impl StatementName {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct ServerNames {
    known: HashMap<u64, Known>,
    numbered: u64,
    uses: u64,
    bytes: usize,
    limit: usize,
}

#[derive(Debug)]
struct Known {
    name: StatementName,
    bytes: usize,
    used: u64,
}

impl ServerNames {
    pub(crate) fn new(limit: usize) -> Self {
        Self { known: HashMap::new(), numbered: 0, uses: 0, bytes: 0, limit: limit.max(1) }
    }

    /// The name of a statement that the server has.
    pub(crate) fn get(&mut self, statement: u64) -> Option<&StatementName> {
        self.uses += 1;
        let known = self.known.get_mut(&statement)?;
        known.used = self.uses;
        Some(&known.name)
    }

    /// A name that this server has never had.
    pub(crate) fn fresh(&mut self) -> StatementName {
        self.numbered += 1;
        let mut name = RESERVED_PREFIX.to_vec();
        name.extend_from_slice(self.numbered.to_string().as_bytes());
        StatementName(name.into())
    }

    /// Notes a statement of so many bytes under its name; returns names that are to be closed: its former one, and what makes
    /// room.
    pub(crate) fn note(&mut self, statement: u64, bytes: usize, name: StatementName) -> Vec<StatementName> {
        self.uses += 1;
        let mut closed: Vec<_> = self.remove(statement).into_iter().collect();
        self.known.insert(statement, Known { name, bytes, used: self.uses });
        self.bytes += bytes;
        while self.known.len() > self.limit || self.bytes > BYTES_MAX && self.known.len() > 1 {
            let Some(oldest) = self.known.iter().min_by_key(|(_, known)| known.used).map(|(id, _)| *id) else { break };
            closed.extend(self.remove(oldest));
        }
        closed
    }

    fn remove(&mut self, statement: u64) -> Option<StatementName> {
        let removed = self.known.remove(&statement)?;
        self.bytes = self.bytes.saturating_sub(removed.bytes);
        Some(removed.name)
    }

    /// Forgets a statement if it stands under this name.
    pub(crate) fn forget(&mut self, statement: u64, name: &StatementName) {
        if self.known.get(&statement).is_some_and(|known| known.name == *name) {
            self.remove(statement);
        }
    }

    /// How many statements the session holds.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Forgets all: the session has dropped them.
    pub(crate) fn clear(&mut self) {
        self.known.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_used_makes_room() {
        let mut names = ServerNames::new(2);
        let first = names.fresh();
        assert_eq!(names.note(1, 9, first.clone()), []);
        let second = names.fresh();
        assert_eq!(names.note(2, 9, second.clone()), []);
        names.get(1).unwrap();
        let third = names.fresh();
        assert_eq!(names.note(3, 9, third), [second]);
        assert_eq!(names.get(1), Some(&first));
        assert_eq!(names.get(2), None);
    }

    #[test]
    fn a_statement_parsed_again_gives_up_its_former_name() {
        let mut names = ServerNames::new(9);
        let first = names.fresh();
        names.note(1, 9, first.clone());
        let again = names.fresh();
        assert_eq!(names.note(1, 9, again.clone()), std::slice::from_ref(&first));
        names.forget(1, &first);
        assert_eq!(names.get(1), Some(&again));
    }

    #[test]
    fn large_texts_make_room_for_each_other() {
        let mut names = ServerNames::new(9);
        let all = [names.fresh(), names.fresh(), names.fresh(), names.fresh()];
        assert_eq!(names.note(1, BYTES_MAX / 2, all[0].clone()), []);
        assert_eq!(names.note(2, BYTES_MAX / 2, all[1].clone()), []);
        names.get(1).unwrap();
        assert_eq!(names.note(3, 1, all[2].clone()), [all[1].clone()]);
        assert_eq!(names.note(4, BYTES_MAX + 1, all[3].clone()), [all[0].clone(), all[2].clone()]);
        names.clear();
        assert_eq!(names.note(1, BYTES_MAX, all[0].clone()), []);
    }
}
