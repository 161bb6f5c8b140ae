//! Tables of the source that came after the move began: nothing publishes them, so nobody else would tell.
//!
//! They are no danger while the source is the one that is used, so that a run only says so; the move cannot be
//! finished without them.

use std::collections::BTreeSet;

use atalaya_data::RelationName;
use atalaya_postgres::Session;

use crate::progress::Store;
use crate::run::chosen_tables;
use crate::{Error, Plan};

/// What a run has seen of them.
#[derive(Default)]
pub(crate) struct NewTables {
    signature: Option<String>,
    said: BTreeSet<RelationName>,
}

impl NewTables {
    /// Tables not told of before. Looks closely only when the source has other tables than at the last look.
    pub(crate) async fn look(
        &mut self,
        plan: &Plan,
        source: &Session,
        store: &Store<'_>,
    ) -> Result<Vec<RelationName>, Error> {
        // Attaching a table moves it into a tree that may have been chosen by its root.
        let signature: String = source
            .query_one(
                "SELECT pg_catalog.concat((SELECT count(*) || ' ' || max(oid::int8) FROM pg_catalog.pg_class
                                            WHERE relkind IN ('r', 'p')), ' ',
                                          (SELECT count(*) FROM pg_catalog.pg_inherits))",
                &[],
            )
            .await?
            .get(0);
        if self.signature.as_ref() == Some(&signature) {
            return Ok(Vec::new());
        }
        let found = unmoved(plan, source, store).await?;
        self.signature = Some(signature);
        Ok(found.into_iter().filter(|name| self.said.insert(name.clone())).collect())
    }
}

/// Tables of the source that the plan's patterns choose and that the migration does not have.
async fn unmoved(plan: &Plan, source: &Session, store: &Store<'_>) -> Result<Vec<RelationName>, Error> {
    let moved: BTreeSet<RelationName> = store.read_tables().await?.into_iter().map(|table| table.source).collect();
    let chosen = chosen_tables(plan, source).await?;
    Ok(chosen.into_iter().map(|relation| relation.name).filter(|name| !moved.contains(name)).collect())
}

/// Refuses to end a move that leaves tables behind.
pub(crate) async fn refuse_unmoved(plan: &Plan, source: &Session, store: &Store<'_>) -> Result<(), Error> {
    let left = unmoved(plan, source, store).await?;
    if left.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = left.iter().map(ToString::to_string).collect();
    Err(Error::refused(
        "tables-not-moved",
        format!("tables that came after the move began are not part of it: {}", names.join(", ")),
        "leave them out with `--exclude`, or `atalaya migrate abort` and move again with them",
    ))
}
