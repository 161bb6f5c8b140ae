//! What a client has prepared, under its own names, within limits: nobody makes the gateway grow by preparing.

use std::collections::HashMap;
use std::sync::Arc;

use crate::prepared::Prepared;

/// A client that prepares more than this has lost count.
pub(super) const STATEMENTS_MAX: usize = 20_000;
/// All names and texts of one session together.
pub(super) const STATEMENTS_BYTES_MAX: usize = 32 << 20;

/// What a client prepared under a name.
#[derive(Clone, Debug)]
pub(super) enum ClientStatement {
    /// By Parse.
    Protocol { prepared: Arc<Prepared>, is_stale: bool },
    /// By PREPARE; its text.
    Sql(Arc<str>),
}

impl ClientStatement {
    fn bytes(&self) -> usize {
        match self {
            Self::Protocol { prepared, .. } => prepared.bytes(),
            Self::Sql(text) => text.len(),
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct ClientStatements {
    by_name: HashMap<Box<[u8]>, ClientStatement>,
    bytes: usize,
}

impl ClientStatements {
    pub(super) fn get(&self, name: &[u8]) -> Option<&ClientStatement> {
        self.by_name.get(name)
    }

    /// Whether one more, of so many bytes with its name, is within the limits.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.by_name.len() < STATEMENTS_MAX && self.bytes.saturating_add(bytes) <= STATEMENTS_BYTES_MAX
    }

    /// Keeps a statement, in the place of another of its name. Whether there is room is asked before.
    pub(super) fn insert(&mut self, name: &[u8], statement: ClientStatement) {
        self.remove(name);
        self.bytes += name.len() + statement.bytes();
        self.by_name.insert(name.into(), statement);
    }

    pub(super) fn remove(&mut self, name: &[u8]) {
        if let Some(removed) = self.by_name.remove(name) {
            self.bytes = self.bytes.saturating_sub(name.len() + removed.bytes());
        }
    }

    /// The text behind a name is described otherwise by now: it stands for this one, or is of no use any more.
    pub(super) fn replace(&mut self, name: &[u8], former: u64, current: Option<Arc<Prepared>>) {
        let Some(ClientStatement::Protocol { prepared, is_stale }) = self.by_name.get_mut(name) else { return };
        if prepared.id != former {
            return;
        }
        match current {
            // Of the same text.
            Some(current) => *prepared = current,
            None => *is_stale = true,
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sql(bytes: usize) -> ClientStatement {
        ClientStatement::Sql("x".repeat(bytes).into())
    }

    #[test]
    fn what_is_let_go_makes_room() {
        let mut statements = ClientStatements::default();
        statements.insert(b"a", sql(STATEMENTS_BYTES_MAX - 1));
        assert!(!statements.has_room(1));
        statements.insert(b"a", sql(10));
        assert!(statements.has_room(STATEMENTS_BYTES_MAX - 11));
        assert!(!statements.has_room(STATEMENTS_BYTES_MAX - 10));
        statements.remove(b"missing");
        statements.remove(b"a");
        assert!(statements.has_room(STATEMENTS_BYTES_MAX));
    }

    #[test]
    fn names_are_counted_whatever_their_size() {
        let mut statements = ClientStatements::default();
        for number in 0..STATEMENTS_MAX {
            assert!(statements.has_room(0));
            statements.insert(number.to_string().as_bytes(), sql(0));
        }
        assert!(!statements.has_room(0));
    }
}
