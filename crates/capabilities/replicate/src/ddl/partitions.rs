//! Whether both sides divide their tables alike: an attached or detached partition changes no row, and nothing of it is
//! in the stream.

use std::collections::BTreeMap;

use atalaya_data::RelationName;
use atalaya_postgres::Session;

use crate::Error;
use crate::progress::TableRow;

/// Parents of a table, and a partition's bounds.
type Place = (String, String);

/// Refuses to end a move whose tables stand elsewhere in their trees than on the source.
pub(crate) async fn refuse_other_trees(source: &Session, target: &Session, tables: &[TableRow]) -> Result<(), Error> {
    let differing = other_places(source, target, tables).await?;
    if differing.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = differing.iter().map(ToString::to_string).collect();
    Err(Error::refused(
        "trees-differ",
        format!("partitions were attached or detached on one side only: {}", names.join(", ")),
        "attach or detach the same on the target, then run the same command again",
    ))
}

/// Tables that stand elsewhere in their trees than on the source.
pub(super) async fn other_places(
    source: &Session,
    target: &Session,
    tables: &[TableRow],
) -> Result<Vec<RelationName>, Error> {
    let (ours, theirs) = (places(source).await?, places(target).await?);
    Ok(tables
        .iter()
        // Where the target is divided in another way on purpose, the names differ.
        .filter(|table| table.source == table.target)
        .filter(|table| match (ours.get(&table.source), theirs.get(&table.target)) {
            (Some(here), Some(there)) => here != there,
            _ => false,
        })
        .map(|table| table.source.clone())
        .collect())
}

async fn places(session: &Session) -> Result<BTreeMap<RelationName, Place>, Error> {
    let rows = session
        .query(
            "SELECT n.nspname::text, c.relname::text,
                    coalesce((SELECT pg_catalog.string_agg(pg_catalog.format('%I.%I', s.nspname, p.relname), ', '
                                                           ORDER BY i.inhseqno)
                                FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
                                JOIN pg_catalog.pg_namespace s ON s.oid = p.relnamespace
                               WHERE i.inhrelid = c.oid), ''),
                    coalesce(pg_catalog.pg_get_expr(c.relpartbound, c.oid), '')
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE c.relkind = 'r' AND c.relpersistence <> 't'",
            &[],
        )
        .await?;
    let text = |row: &atalaya_postgres::Row, column: usize| row.get::<_, String>(column);
    Ok(rows.iter().map(|row| (RelationName::new(text(row, 0), text(row, 1)), (text(row, 2), text(row, 3)))).collect())
}
