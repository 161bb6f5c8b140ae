//! Tables of the source that came after the move began, and those that went: nothing in the stream tells of either.
//!
//! They are no danger while the source is the one that is used, so that a run only says so; the move cannot be
//! finished before both sides have the same tables.

use std::collections::BTreeSet;

use atalaya_data::RelationName;
use atalaya_postgres::Session;
use atalaya_postgres::catalog::read_relations;

use crate::progress::{Store, TableRow};
use crate::run::chosen_tables;
use crate::{Error, Plan};

/// What a run has seen of them.
#[derive(Default)]
pub(crate) struct TableWatch {
    signature: Option<String>,
    said: BTreeSet<RelationName>,
}

impl TableWatch {
    /// Takes a table for told of.
    pub(crate) fn told(&mut self, name: &RelationName) {
        self.said.insert(name.clone());
    }

    /// What was not told before. Looks closely only when the source has other tables than at the last look.
    pub(crate) async fn look(
        &mut self,
        plan: &Plan,
        source: &Session,
        store: &Store<'_>,
    ) -> Result<Vec<String>, Error> {
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
        let (came, went) = (unmoved(plan, source, store).await?, gone(source, store).await?);
        self.signature = Some(signature);
        let mut first = |name: &RelationName| self.said.insert(name.clone());
        let came = came.iter().filter(|name| first(name)).map(|name| {
            format!(
                "table {name} came after the move began and is not part of it; `finish` will refuse to leave it behind: \
                 `atalaya migrate add-table --table {}` adds it",
                name.to_argument()
            )
        });
        let mut told: Vec<String> = came.collect();
        told.extend(went.iter().filter(|row| first(&row.source)).map(|row| {
            let TableRow { source, target, .. } = row;
            match source == target {
                true => format!(
                    "table {source} is gone from the source; drop it on the target, too, if that was meant, before `finish`"
                ),
                false => format!(
                    "table {source} is gone from the source, and its rows are in {target} on the target; if that was meant, \
                     `atalaya migrate add-table --table {} --again` copies {target} without them before `finish`",
                    target.to_argument()
                ),
            }
        }));
        Ok(told)
    }
}

/// Tables of the source that the plan's patterns choose and that the migration does not have.
async fn unmoved(plan: &Plan, source: &Session, store: &Store<'_>) -> Result<Vec<RelationName>, Error> {
    let moved: BTreeSet<RelationName> = store.read_tables().await?.into_iter().map(|table| table.source).collect();
    let chosen = chosen_tables(plan, source).await?;
    Ok(chosen.into_iter().map(|relation| relation.name).filter(|name| !moved.contains(name)).collect())
}

/// Tables of the migration that the source has no more.
async fn gone(source: &Session, store: &Store<'_>) -> Result<Vec<TableRow>, Error> {
    let there: BTreeSet<RelationName> =
        read_relations(source).await?.into_iter().map(|relation| relation.name).collect();
    Ok(store.read_tables().await?.into_iter().filter(|table| !there.contains(&table.source)).collect())
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
        "add them with `atalaya migrate add-table --table NAME` while the move follows the source, or leave them out \
         with `--exclude`",
    ))
}
