//! Whether the source still publishes every table of the migration, with every kind of change, and has done so all the
//! time.
//!
//! What is not published passes by unseen. A table that was taken out and put in again looks as before, so the entry in
//! the publication is written down when it is seen first, and another one is refused.

use atalaya_postgres::Session;

use crate::Error;
use crate::progress::{Migration, Store, TableRow};

/// Each table's entry in the publication; none where it is not published with every change of every row and column.
/// Row filters and column lists are of 15; before, these members are not there.
const ENTRIES: &str = "
    SELECT c.oid, (SELECT r.oid FROM pg_catalog.pg_publication p
                     JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
                    WHERE r.prrelid = c.oid AND p.pubname = $2 AND p.pubinsert AND p.pubtruncate
                      AND ($3 OR p.pubupdate AND p.pubdelete)
                      AND to_jsonb(r) ->> 'prqual' IS NULL AND to_jsonb(r) ->> 'prattrs' IS NULL)
      FROM pg_catalog.pg_class c WHERE c.oid = ANY ($1)";

/// Refuses to follow where changes of a table that the source still has are not published, or were not for a while.
pub(crate) async fn refuse_unpublished(
    source: &Session,
    migration: &Migration,
    store: &Store<'_>,
) -> Result<(), Error> {
    let tables = store.read_tables().await?;
    let append = migration.append_publication();
    for (publication, append_only) in [(&migration.publication, false), (&append, true)] {
        let ours = |table: &&TableRow| table.append_only == append_only;
        let oid = |table: &TableRow| table.definition.as_ref().map(|definition| definition.oid);
        let oids: Vec<u32> = tables.iter().filter(ours).filter_map(oid).collect();
        let (mut unpublished, mut first_seen) = (Vec::new(), Vec::new());
        for row in source.query(ENTRIES, &[&oids, publication, &append_only]).await? {
            let (found, entry): (u32, Option<u32>) = (row.get(0), row.get(1));
            for table in tables.iter().filter(ours).filter(|table| oid(table) == Some(found)) {
                match (entry, table.publication_entry) {
                    (Some(entry), None) => first_seen.push((&table.source, entry)),
                    (Some(entry), Some(known)) if entry == known => {}
                    _ => unpublished.push(&table.source),
                }
            }
        }
        store.write_publication_entries(&first_seen).await?;
        if let Some(name) = unpublished.iter().min() {
            return Err(Error::refused(
                "not-published",
                format!(
                    "publication `{publication}` does not publish every change of {} of the tables any more, or did not \
                     for a while, {name} among them",
                    unpublished.len()
                ),
                "changes may be missing; `atalaya migrate abort` and start the move again",
            ));
        }
    }
    Ok(())
}
