//! What is skipped, resumed and acknowledged, written once.
//!
//! A committed transaction has two positions: `commit_lsn`, where its commit record starts, and `end_lsn`,
//! the byte after that record. A snapshot taken at a slot's consistent point F holds exactly the commits
//! with `commit_lsn < F`, so skipping compares `commit_lsn`; streaming goes on, and acknowledging speaks,
//! of `end_lsn`.

use crate::Lsn;

/// The two positions of one committed transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitPosition {
    /// Start of the commit record: decides whether a snapshot holds the transaction.
    pub commit_lsn: Lsn,
    /// The byte after the commit record: resumed from and acknowledged.
    pub end_lsn: Lsn,
}

impl CommitPosition {
    /// Whether a target that stored `applied` has this transaction already.
    #[must_use]
    pub fn is_applied(&self, applied: Lsn) -> bool {
        self.end_lsn <= applied
    }
}

/// Whether a transaction whose commit record starts at `commit_lsn` is before `position`: held by a snapshot taken
/// at that fence, or by a target that has stored it. Told by the start alone, which is known when a transaction
/// begins to arrive; a stored position never lies within a record, so [`CommitPosition::is_applied`] says the same
/// once the end is known.
#[must_use]
pub fn is_before(commit_lsn: Lsn, position: Lsn) -> bool {
    commit_lsn < position
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_starts_at_the_fence_is_after_it() {
        let at = |commit_lsn, end_lsn| CommitPosition { commit_lsn: Lsn(commit_lsn), end_lsn: Lsn(end_lsn) };
        assert!(is_before(Lsn(99), Lsn(100)));
        assert!(!is_before(Lsn(100), Lsn(100)));
        assert!(at(99, 140).is_applied(Lsn(140)));
        assert!(!at(99, 140).is_applied(Lsn(139)));
    }
}
