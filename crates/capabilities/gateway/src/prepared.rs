//! Prepared statements that clients share: one text with one list of parameter types, read under the same settings, is
//! one statement, for as long as servers describe it in the same way.
//!
//! A server checks a statement's result type when it is executed, not when a client prepares it. So a statement that
//! another client had prepared before a table changed would serve the new client an old description, or an error that
//! it would not meet on a connection of its own. Therefore each Parse of a client is a Parse at the server, followed by
//! a Describe of ours: a description other than the one on record makes a new statement, and the old one stays with
//! those who prepared it.

use std::collections::HashMap;
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
    /// Compares a description's digest with the one on record.
    pub(crate) fn describe(&self, digest: u64) -> Described {
        match *self.description.lock().get_or_insert(digest) {
            known if known == digest => Described::Same,
            _ => Described::Other,
        }
    }
}

/// All statements of a database's clients.
#[derive(Default)]
pub(crate) struct PreparedStatements {
    by_text: Mutex<HashMap<Box<[u8]>, Weak<Prepared>>>,
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
        let key = key_of(sql, types, context);
        let mut by_text = self.by_text.lock();
        if let Some(known) = by_text.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        // Texts that nobody holds any more go when the table would grow.
        if by_text.len() == by_text.capacity() {
            by_text.retain(|_, statement| statement.strong_count() > 0);
        }
        let prepared = Arc::new(new(sql, types, context, effects(), None));
        by_text.insert(key, Arc::downgrade(&prepared));
        prepared
    }

    /// No client joins what others have prepared so far: another server describes it.
    pub(crate) fn forget_all(&self) {
        self.by_text.lock().clear();
    }

    /// The statement that stands in an old one's place, since a server describes its text differently now.
    pub(crate) fn replace(&self, old: &Prepared, digest: u64) -> Arc<Prepared> {
        let key = key_of(&old.sql, &old.types, &old.context);
        let mut by_text = self.by_text.lock();
        let current = by_text.get(&key).and_then(Weak::upgrade).filter(|current| current.id != old.id);
        if let Some(current) = current.filter(|current| current.describe(digest) == Described::Same) {
            return current;
        }
        let prepared = Arc::new(new(&old.sql, &old.types, &old.context, old.effects.clone(), Some(digest)));
        by_text.insert(key, Arc::downgrade(&prepared));
        prepared
    }
}

fn new(sql: &[u8], types: &[u8], context: &[u8], effects: SessionEffects, digest: Option<u64>) -> Prepared {
    let [sql, types, context] = [sql, types, context].map(Box::from);
    Prepared { id: next_id(), sql, types, context, effects, description: Mutex::new(digest) }
}

fn key_of(sql: &[u8], types: &[u8], context: &[u8]) -> Box<[u8]> {
    // A statement's text holds no zero byte, and its types begin with their number.
    [sql, &[0], types, context].concat().into()
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
}
