//! Prepared statements that clients share: one text with one list of parameter types, read under the same settings, is
//! one statement, for as long as servers describe it in the same way.
//!
//! A server checks a statement's result type when it is executed, not when a client prepares it. So a statement that
//! another client had prepared before a table changed would serve the new client an old description, or an error that
//! it would not meet on a connection of its own. Therefore each Parse of a client is a Parse at the server, followed by
//! a Describe of ours: a description other than the one on record makes a new statement, and the old one stays with
//! those who prepared it.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use atalaya_sql::SessionEffects;
use parking_lot::Mutex;

/// A text with its parameter types.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Unique within the process.
    pub(crate) id: u64,
    pub(crate) sql: Box<[u8]>,
    /// The parameter types, as they stand in Parse.
    pub(crate) types: Box<[u8]>,
    /// What else made it what it is.
    context: Box<[u8]>,
    pub(crate) effects: SessionEffects,
    description: Mutex<Option<u64>>,
}

/// What a description says of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Described {
    /// It is the one on record, or the first.
    Same,
    /// The table behind it was changed.
    Other,
}

impl Prepared {
    /// What the text and its types take.
    pub(crate) fn bytes(&self) -> usize {
        self.sql.len() + self.types.len()
    }

    fn is(&self, sql: &[u8], types: &[u8], context: &[u8]) -> bool {
        *self.sql == *sql && *self.types == *types && *self.context == *context
    }

    /// Compares a description's digest with the one on record.
    pub(crate) fn describe(&self, digest: u64) -> Described {
        match *self.description.lock().get_or_insert(digest) {
            known if known == digest => Described::Same,
            _ => Described::Other,
        }
    }
}

/// All statements of a database's clients. Texts that nobody holds any more are not held here either.
#[derive(Default)]
pub(crate) struct PreparedStatements {
    /// By a text's hash; of two texts with the same one, the later is found.
    by_hash: Mutex<HashMap<u64, Weak<Prepared>>>,
    hasher: RandomState,
}

static IDS: AtomicU64 = AtomicU64::new(1);

/// A number for a statement that no other has in this process.
pub(crate) fn next_id() -> u64 {
    IDS.fetch_add(1, Ordering::Relaxed)
}

impl PreparedStatements {
    /// The statement of this text, as it is now.
    pub(crate) fn get(
        &self,
        sql: &[u8],
        types: &[u8],
        context: &[u8],
        effects: impl FnOnce() -> SessionEffects,
    ) -> Arc<Prepared> {
        let hash = self.hash(sql, types, context);
        let mut by_hash = self.by_hash.lock();
        let known = by_hash.get(&hash).and_then(Weak::upgrade);
        if let Some(known) = known.filter(|known| known.is(sql, types, context)) {
            return known;
        }
        // Those that nobody holds any more go when the table would grow.
        if by_hash.len() == by_hash.capacity() {
            by_hash.retain(|_, statement| statement.strong_count() > 0);
        }
        let prepared = Arc::new(new(sql, types, context, effects(), None));
        by_hash.insert(hash, Arc::downgrade(&prepared));
        prepared
    }

    /// No client joins what others have prepared so far: another server describes it.
    pub(crate) fn forget_all(&self) {
        self.by_hash.lock().clear();
    }

    /// The statement that stands in an old one's place, since a server describes its text differently now.
    pub(crate) fn replace(&self, old: &Prepared, digest: u64) -> Arc<Prepared> {
        let hash = self.hash(&old.sql, &old.types, &old.context);
        let mut by_hash = self.by_hash.lock();
        let current = by_hash.get(&hash).and_then(Weak::upgrade);
        let current = current.filter(|current| current.id != old.id && current.is(&old.sql, &old.types, &old.context));
        if let Some(current) = current.filter(|current| current.describe(digest) == Described::Same) {
            return current;
        }
        let prepared = Arc::new(new(&old.sql, &old.types, &old.context, old.effects.clone(), Some(digest)));
        by_hash.insert(hash, Arc::downgrade(&prepared));
        prepared
    }

    fn hash(&self, sql: &[u8], types: &[u8], context: &[u8]) -> u64 {
        self.hasher.hash_one((sql, types, context))
    }
}

fn new(sql: &[u8], types: &[u8], context: &[u8], effects: SessionEffects, digest: Option<u64>) -> Prepared {
    let [sql, types, context] = [sql, types, context].map(Box::from);
    Prepared { id: next_id(), sql, types, context, effects, description: Mutex::new(digest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_statement_until_its_description_changes() {
        let all = PreparedStatements::default();
        let first = all.get(b"SELECT 1", b"\0\0", b"", SessionEffects::default);
        assert_eq!(first.describe(7), Described::Same);
        assert_eq!(all.get(b"SELECT 1", b"\0\0", b"", SessionEffects::default).id, first.id);
        assert_eq!(first.describe(8), Described::Other);
        let second = all.replace(&first, 8);
        assert_ne!(second.id, first.id);
        assert_eq!(all.replace(&first, 8).id, second.id, "the next one who meets the change joins");
        assert_eq!(all.get(b"SELECT 1", b"\0\0", b"", SessionEffects::default).id, second.id);
        assert_eq!(first.describe(7), Described::Same);
    }

    #[test]
    fn texts_that_nobody_holds_are_not_held_here() {
        let all = PreparedStatements::default();
        for number in 0..1000 {
            let sql = format!("SELECT {number}");
            let held = Arc::downgrade(&all.get(sql.as_bytes(), b"\0\0", b"", SessionEffects::default));
            assert_eq!(held.strong_count(), 0);
        }
        assert!(all.by_hash.lock().len() < 1000);
    }

    #[test]
    fn a_text_with_other_types_is_another_statement() {
        let all = PreparedStatements::default();
        let first = all.get(b"SELECT $1", b"\0\0", b"", SessionEffects::default);
        for (types, context) in [(b"\0\x01\0\0\0\x17".as_slice(), b"".as_slice()), (b"\0\0", b"x")] {
            assert_ne!(all.get(b"SELECT $1", types, context, SessionEffects::default).id, first.id);
        }
    }
}
