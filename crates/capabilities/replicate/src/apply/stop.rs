//! A conflict ends the group: nothing of it stays, and what was met is recorded.

use atalaya_data::RelationName;

use super::group::{Applier, GroupPosition};
use crate::Error;
use crate::conflict::{Conflict, ConflictKind};

impl Applier {
    /// A constraint that is checked at the end only is violated; nobody says by which change.
    pub(super) async fn stop_at_commit(&mut self, error: &Error, position: GroupPosition) -> Error {
        let named = match error {
            Error::Postgres(error) => error.relation().zip(error.constraint()),
            _ => None,
        };
        let Some(((schema, table), (_, constraint))) = named else {
            return Error::Broken("a constraint was violated at the commit, and the target does not say which");
        };
        let conflict = Conflict {
            constraint: Some(constraint.to_owned()),
            ..Conflict::of_table(
                ConflictKind::UniqueTaken,
                RelationName::new(schema, table),
                (position.applied, position.committed_at_micros.unwrap_or_default()),
            )
        };
        self.stop_at(conflict).await
    }

    pub(super) async fn stop_at(&mut self, conflict: Conflict) -> Error {
        let stop = Error::Conflict {
            kind: conflict.kind.as_str(),
            relation: conflict.relation.clone(),
            commit_lsn: conflict.commit_lsn,
        };
        let kept = async {
            self.session.batch("ROLLBACK").await?;
            self.open = false;
            self.recorder.stop_at(&self.session, conflict).await
        };
        match kept.await {
            Ok(()) => stop,
            Err(error) => error,
        }
    }
}
