//! Tables that only the new server has. One that came since the way back was made holds what clients have written there, and
//! no stream brings it.

use std::collections::BTreeSet;

use atalaya_data::RelationName;
use atalaya_postgres::Session;

use crate::Error;

/// Tables and trees whose rows are in the log, but for those of extensions, which make their own, and ours.
const TABLES: &str = "
    SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition
       AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'atalaya')
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')";

/// Those that the new server has and the old one has not, by their names.
pub(super) async fn alone(old: &Session, new: &Session) -> Result<BTreeSet<RelationName>, Error> {
    let (old, mut new) = (tables(old).await?, tables(new).await?);
    new.retain(|name| !old.contains(name));
    Ok(new)
}

async fn tables(server: &Session) -> Result<BTreeSet<RelationName>, Error> {
    let rows = server.query(TABLES, &[]).await?;
    Ok(rows.iter().map(|row| RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1))).collect())
}
