//! What one server has in its cache, and what room the other one has for it.

use std::collections::HashMap;

use atalaya_postgres::{Error, Session};

use super::plan::{Cached, Key, Room, SLICES, There};

/// Every relation of a user's with storage, under a name that holds on both sides: TOAST tables and their indexes go by the
/// table that they belong to, and the number says which of these it is.
const RELATIONS: &str = r"
SELECT c.oid, c.relkind, n.nspname::text AS schema, o.relname::text AS name,
       CASE WHEN o.oid = c.oid THEN 0 WHEN c.relkind = 't' THEN 1 ELSE 2 END AS part,
       pg_catalog.pg_relation_filenode(c.oid) AS file, c.reltablespace AS space,
       pg_catalog.pg_relation_size(c.oid, 'main') / pg_catalog.current_setting('block_size')::int8 AS blocks
  FROM pg_catalog.pg_class c
  LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
  LEFT JOIN pg_catalog.pg_class t ON t.relkind = 't' AND t.oid = CASE c.relkind WHEN 't' THEN c.oid ELSE i.indrelid END
  LEFT JOIN pg_catalog.pg_class w ON w.reltoastrelid = t.oid
  JOIN pg_catalog.pg_class o ON o.oid = coalesce(w.oid, c.oid)
  JOIN pg_catalog.pg_namespace n ON n.oid = o.relnamespace
 WHERE c.relkind IN ('r', 'm', 't', 'i') AND c.relpersistence <> 't'
   AND n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('information_schema', 'atalaya')";

/// What is cached of each relation, main fork by slices. The server reads its buffer map once, without a lock.
pub(super) async fn cached(session: &Session, schema: &str) -> Result<Vec<Cached>, Error> {
    let sql = format!(
        "WITH here AS (SELECT oid, dattablespace FROM pg_catalog.pg_database
                        WHERE datname = pg_catalog.current_database())
         SELECT r.schema, r.name, r.part, r.relkind = 'i', r.blocks, b.relforknumber::int4,
                CASE b.relforknumber WHEN 0
                     THEN least({SLICES} - 1, b.relblocknumber * {SLICES} / greatest(r.blocks, 1)) ELSE 0 END::int4 AS slice,
                count(*)::int8, sum(b.usagecount)::int8
           FROM {schema}.pg_buffercache b CROSS JOIN here
           JOIN ({RELATIONS}) r ON r.file = b.relfilenode
            AND b.reltablespace = CASE r.space WHEN 0 THEN here.dattablespace ELSE r.space END
          WHERE b.reldatabase = here.oid AND b.relforknumber IN (0, 1, 2) AND r.blocks > 0
          GROUP BY 1, 2, 3, 4, 5, 6, 7"
    );
    let mut found: HashMap<Key, Cached> = HashMap::new();
    session
        .query_each::<Error>(&sql, |row| {
            let key = key_of(row.get(0), row.get(1), row.get(2));
            let (is_index, blocks): (bool, i64) = (row.get(3), row.get(4));
            let cached = found.entry(key.clone()).or_insert_with(|| Cached::new(key, is_index, blocks_of(blocks)));
            let (fork, slice, count, usage): (i32, i32, i64, i64) = (row.get(5), row.get(6), row.get(7), row.get(8));
            cached.add(fork, usize::try_from(slice).unwrap_or_default(), blocks_of(count), blocks_of(usage));
            Ok(())
        })
        .await?;
    Ok(found.into_values().collect())
}

/// The relations of the other side, and how many blocks its cache has.
pub(super) async fn room(session: &Session) -> Result<Room, Error> {
    let sql = "SELECT s.setting::int8, pg_catalog.current_setting('block_size')::int8
                 FROM pg_catalog.pg_settings s WHERE s.name = 'shared_buffers'";
    let row = session.query_one(sql, &[]).await?;
    let (buffers, block_bytes) = (blocks_of(row.get(0)), blocks_of(row.get(1)));
    let sql = format!(
        "SELECT r.schema, r.name, r.part, r.oid, r.blocks,
                pg_catalog.pg_relation_size(r.oid, 'fsm') / {block_bytes},
                pg_catalog.pg_relation_size(r.oid, 'vm') / {block_bytes}
           FROM ({RELATIONS}) r WHERE r.blocks > 0"
    );
    let mut relations = HashMap::new();
    session
        .query_each::<Error>(&sql, |row| {
            // One that was dropped just now has no size.
            let fork = |column: usize| row.get::<_, Option<i64>>(column).map(blocks_of).unwrap_or_default();
            let there = There { oid: row.get(3), blocks: fork(4), fsm_blocks: fork(5), vm_blocks: fork(6) };
            relations.insert(key_of(row.get(0), row.get(1), row.get(2)), there);
            Ok(())
        })
        .await?;
    Ok(Room { relations, buffers, block_bytes })
}

fn key_of(schema: String, name: String, part: i32) -> Key {
    Key { schema, name, part }
}

fn blocks_of(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}
