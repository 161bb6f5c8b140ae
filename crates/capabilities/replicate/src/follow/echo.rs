//! What comes back: transactions of the opposite direction's apply, known by their first change.
//!
//! Every transaction of a move that touches a user's table begins with an UPDATE of its row in `atalaya.progress`. Once a
//! way back stands, that table is in both publications, and each direction drops what the other one has written, whole.
//! Only the row of this very move counts: another move's writes are changes like anybody's.

use atalaya_data::Lsn;
use atalaya_pgwire::pgoutput::{Relation, Tuple, Value};

use super::state::Follower;
use crate::Error;

/// Who has written the transaction that is arriving, as far as its first change has told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Writer {
    /// Nothing was changed yet.
    #[default]
    Unknown,
    /// Anybody but this move's opposite direction.
    Others,
    /// The opposite direction: nothing of it is to be applied.
    Ourselves,
}

/// The source's `atalaya.progress`, as the stream last described it.
#[derive(Debug, Default)]
pub(crate) struct Marker {
    /// Its OID, and where its column `migration` stands.
    relation: Option<(u32, usize)>,
}

impl Marker {
    /// Takes a relation message; false when it is of another table.
    pub(super) fn describe(&mut self, relation: &Relation) -> bool {
        if relation.schema != "atalaya" || relation.name != "progress" {
            return false;
        }
        let place = relation.columns.iter().position(|column| column.name == "migration");
        self.relation = place.map(|place| (relation.id, place));
        true
    }

    /// Whether changes of that relation are the marker's.
    pub(super) fn is(&self, relation_id: u32) -> bool {
        self.relation.is_some_and(|(id, _)| id == relation_id)
    }

    /// Whether the row is that migration's.
    fn is_of(&self, row: &Tuple, migration: &str) -> bool {
        let value = self.relation.and_then(|(_, place)| row.values.get(place));
        matches!(value, Some(Value::Text(name)) if name.as_ref() == migration.as_bytes())
    }
}

impl Follower<'_> {
    /// Takes a change of `atalaya.progress`: at a transaction's beginning it tells whose it is, and otherwise it is none of
    /// a table that moves. `row` is what an UPDATE has made of the row.
    pub(super) fn take_marker(&mut self, row: Option<&Tuple>) -> Result<(), Error> {
        let ours = row.is_some_and(|row| self.marker.is_of(row, &self.opened.plan.name));
        let arriving = self.arriving.as_mut().ok_or(Error::Broken("a change came outside of a transaction"))?;
        if arriving.writer == Writer::Unknown {
            arriving.writer = if ours { Writer::Ourselves } else { Writer::Others };
        }
        Ok(())
    }
}

/// Commits of others that are remembered; whoever asks for more is told that nobody knows.
const REMEMBERED: usize = 65_536;

/// Transactions of others that changed a published table, by where they were committed.
#[derive(Debug)]
pub(crate) struct ForeignCommits {
    /// All from here on are known.
    since: Lsn,
    commits: std::collections::VecDeque<Lsn>,
}

impl ForeignCommits {
    /// Knows what comes from `since` on.
    pub(super) fn new(since: Lsn) -> Self {
        Self { since, commits: std::collections::VecDeque::new() }
    }

    /// Remembers one; they come in the order of their commits.
    pub(super) fn push(&mut self, commit_lsn: Lsn) {
        if self.commits.len() >= REMEMBERED
            && let Some(forgotten) = self.commits.pop_front()
        {
            self.since = Lsn(forgotten.0.saturating_add(1));
        }
        self.commits.push_back(commit_lsn);
    }

    /// How many were committed from `from` on and before `to`; none when that is not known.
    pub(crate) fn between(&self, from: Lsn, to: Lsn) -> Option<u64> {
        if from < self.since {
            return None;
        }
        let found = self.commits.iter().rev().skip_while(|at| **at >= to).take_while(|at| **at >= from).count();
        Some(u64::try_from(found).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use atalaya_pgwire::pgoutput::{RelationColumn, ReplicaIdentity};
    use bytes::Bytes;

    use super::*;

    fn described(schema: &str, name: &str) -> Relation {
        let column =
            |name: &str| RelationColumn { is_key: true, name: name.to_owned(), type_oid: 25, type_modifier: -1 };
        Relation {
            id: 7,
            schema: schema.to_owned(),
            name: name.to_owned(),
            replica_identity: ReplicaIdentity::Default,
            columns: vec![column("writer"), column("migration")],
        }
    }

    fn row(values: &[&'static str]) -> Tuple {
        Tuple { values: values.iter().map(|text| Value::Text(Bytes::from_static(text.as_bytes()))).collect() }
    }

    #[test]
    fn only_the_moves_own_row_of_the_progress_table_is_its_marker() {
        let mut marker = Marker::default();
        assert!(!marker.describe(&described("public", "progress")));
        assert!(!marker.is(7));
        assert!(marker.describe(&described("atalaya", "progress")));
        assert!(marker.is(7) && !marker.is(8));
        assert!(marker.is_of(&row(&["0", "shop"]), "shop"));
        assert!(!marker.is_of(&row(&["0", "shop2"]), "shop") && !marker.is_of(&row(&["shop", "other"]), "shop"));
        assert!(!marker.is_of(&row(&[]), "shop"));
    }

    #[test]
    fn commits_of_others_are_counted_between_two_positions_and_never_guessed() {
        let mut foreign = ForeignCommits::new(Lsn(100));
        for at in [110, 120, 130] {
            foreign.push(Lsn(at));
        }
        assert_eq!(foreign.between(Lsn(120), Lsn(130)), Some(1));
        assert_eq!(foreign.between(Lsn(100), Lsn(131)), Some(3));
        assert_eq!(foreign.between(Lsn(131), Lsn(140)), Some(0));
        assert_eq!(foreign.between(Lsn(99), Lsn(140)), None);
        for at in 0..REMEMBERED as u64 {
            foreign.push(Lsn(1000 + at));
        }
        assert_eq!(foreign.between(Lsn(130), Lsn(2000)), None);
        assert_eq!(foreign.between(Lsn(1000), Lsn(1010)), Some(10));
    }
}
