//! Whether the source still publishes every table of the migration, with every kind of change.

use atalaya_data::RelationName;
use atalaya_postgres::Session;

use crate::Error;
use crate::progress::{Migration, TableRow};

/// Refuses to follow while a table that the source still has is not published: its changes would pass by unseen.
pub(crate) async fn refuse_unpublished(
    source: &Session,
    migration: &Migration,
    tables: &[TableRow],
) -> Result<(), Error> {
    let append = migration.append_publication();
    for (publication, append_only) in [(&migration.publication, false), (&append, true)] {
        let oids: Vec<u32> = tables
            .iter()
            .filter(|table| table.append_only == append_only)
            .filter_map(|table| table.definition.as_ref().map(|definition| definition.oid))
            .collect();
        let missing = source
            .query(
                "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                  WHERE c.oid = ANY ($1) AND NOT EXISTS (
                        SELECT FROM pg_catalog.pg_publication p
                          JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
                         WHERE r.prrelid = c.oid AND p.pubname = $2 AND p.pubinsert AND p.pubtruncate
                           AND ($3 OR p.pubupdate AND p.pubdelete))
                  ORDER BY 1, 2",
                &[&oids, publication, &append_only],
            )
            .await?;
        if let Some(row) = missing.first() {
            let name = RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1));
            return Err(Error::refused(
                "not-published",
                format!(
                    "publication `{publication}` does not publish every change of {} of the tables any more, {name} \
                     among them",
                    missing.len()
                ),
                "changes may be missing; `atalaya migrate abort` and start the move again",
            ));
        }
    }
    Ok(())
}
