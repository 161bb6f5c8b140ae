//! Tables that were emptied or rewritten under a snapshot.
//!
//! TRUNCATE does not keep to snapshots, nor does every ALTER TABLE that rewrites: one that comes after a snapshot and
//! before its first look at the table shows it empty. Such a look says nothing, whatever it has found. What the snapshot
//! calls the table's file tells it from the present one; asked after the look, whose locks keep the file from changing.

use atalaya_data::RelationName;
use atalaya_postgres::Session;

use crate::Error;
use crate::moment::Pair;
use crate::unit::Unit;

/// Tables with all their partitions and heirs, as the snapshot sees the catalog; the file's name is the present one's.
const ANY_REWRITTEN: &str = "
    WITH RECURSIVE tree AS (
        SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          JOIN unnest($1::text[], $2::text[]) AS wanted (schema, name)
            ON wanted.schema = n.nspname AND wanted.name = c.relname
         UNION
        SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree t ON i.inhparent = t.oid)
    SELECT EXISTS (SELECT FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid
                    WHERE c.relfilenode <> 0 AND pg_catalog.pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode)";

/// Whether a table of either side is not the one that its snapshot shows.
pub(crate) async fn is_rewritten(pair: &Pair, unit: &Unit) -> Result<bool, Error> {
    any_rewritten(pair, &[unit]).await
}

/// The same of several.
pub(crate) async fn any_rewritten(pair: &Pair, units: &[&Unit]) -> Result<bool, Error> {
    let sources: Vec<&RelationName> = units.iter().flat_map(|unit| unit.source_names()).collect();
    let targets: Vec<&RelationName> = units.iter().map(|unit| &unit.target_name).collect();
    let (source, target) = tokio::try_join!(on_side(&pair.source, &sources), on_side(&pair.target, &targets))?;
    Ok(source || target)
}

async fn on_side(session: &Session, names: &[&RelationName]) -> Result<bool, Error> {
    let schemas: Vec<&str> = names.iter().map(|name| name.schema.as_str()).collect();
    let tables: Vec<&str> = names.iter().map(|name| name.name.as_str()).collect();
    Ok(session.query_one(ANY_REWRITTEN, &[&schemas, &tables]).await?.get(0))
}
