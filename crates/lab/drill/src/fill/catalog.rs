//! What the clone's catalog says of its tables.

use std::collections::BTreeMap;

use atalaya_data::RelationName;
use atalaya_postgres::Session;

use crate::Error;

/// A column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The type as written in a cast, length and all.
    pub(crate) type_sql: String,
    pub(crate) type_oid: u32,
    pub(crate) typmod: i32,
    pub(crate) is_not_null: bool,
    /// Made by the server: generated, identity, or drawn from a sequence.
    pub(crate) is_servers: bool,
    /// Part of something unique.
    pub(crate) is_unique: bool,
    /// Expressions of checks and of partitions' bounds that speak of it.
    pub(crate) bounds: Vec<String>,
}

/// A foreign key.
#[derive(Clone, Debug)]
pub(crate) struct ForeignKey {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    pub(crate) parent: RelationName,
    pub(crate) parent_columns: Vec<String>,
    /// Whether its columns alone, or its columns first, are unique: each parent then goes in turn.
    pub(crate) is_unique: bool,
}

/// A table that is no partition; a partitioned one stands for all of its own.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) name: RelationName,
    pub(crate) columns: Vec<Column>,
    pub(crate) foreign_keys: Vec<ForeignKey>,
    /// Whether another table's foreign key refers to it.
    pub(crate) is_referred_to: bool,
    /// Whether it has a unique constraint that may be broken within a transaction: ON CONFLICT refuses such a table.
    pub(crate) is_deferrable: bool,
}

/// Ours, Postgres's and those of extensions are not the user's tables.
const TABLES: &str = "
    SELECT c.oid, n.nspname::text, c.relname::text,
           EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.confrelid = c.oid),
           EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND NOT i.indimmediate)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'ledger') AND n.nspname !~ '^pg_'
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
     ORDER BY n.nspname, c.relname";

const COLUMNS: &str = "
    SELECT a.attrelid, a.attname::text, format_type(a.atttypid, a.atttypmod), a.atttypid, a.atttypmod, a.attnotnull,
           a.attgenerated <> '', a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid) ~ 'nextval\\(', false),
           EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND (i.indisunique OR i.indisexclusion)
                      AND (a.attnum = ANY (i.indkey::int2[])
                           OR EXISTS (SELECT FROM pg_depend p WHERE p.classid = 'pg_class'::regclass AND p.objid = i.indexrelid
                                         AND p.refobjid = a.attrelid AND p.refobjsubid = a.attnum))),
           ARRAY(SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k
                  WHERE k.conrelid = a.attrelid AND k.contype = 'c' AND a.attnum = ANY (k.conkey) ORDER BY k.oid)
           || ARRAY(SELECT pg_get_expr(p.relpartbound, p.oid) FROM pg_partition_tree(a.attrelid) t JOIN pg_class p ON p.oid = t.relid
                     JOIN pg_partitioned_table r ON r.partrelid = t.parentrelid
                     JOIN pg_attribute b ON b.attrelid = t.parentrelid AND b.attname = a.attname AND b.attnum = ANY (r.partattrs::int2[])
                    WHERE p.relpartbound IS NOT NULL ORDER BY p.oid)
      FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = ANY ($1::oid[])
     ORDER BY a.attrelid, a.attnum";

const FOREIGN_KEYS: &str = "
    SELECT f.conrelid, f.conname::text, n.nspname::text, p.relname::text,
           ARRAY(SELECT a.attname::text FROM unnest(f.conkey) WITH ORDINALITY k(attnum, at)
                   JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum ORDER BY k.at),
           ARRAY(SELECT a.attname::text FROM unnest(f.confkey) WITH ORDINALITY k(attnum, at)
                   JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum ORDER BY k.at),
           EXISTS (SELECT FROM pg_index i WHERE i.indrelid = f.conrelid AND i.indisunique
                      AND (i.indkey::int2[])[0] = ANY (f.conkey))
      FROM pg_constraint f JOIN pg_class p ON p.oid = f.confrelid JOIN pg_namespace n ON n.oid = p.relnamespace
     WHERE f.contype = 'f' AND f.conparentid = 0 AND f.conrelid = ANY ($1::oid[])
     ORDER BY f.conrelid, f.conname";

/// Every table of the user's, with an order that does not change.
pub(crate) async fn read_tables(session: &Session) -> Result<Vec<Table>, Error> {
    let mut tables = BTreeMap::new();
    for row in session.query(TABLES, &[]).await? {
        let name = RelationName::new(row.get::<_, String>(1), row.get::<_, String>(2));
        let (columns, foreign_keys) = (Vec::new(), Vec::new());
        let table = Table { name, columns, foreign_keys, is_referred_to: row.get(3), is_deferrable: row.get(4) };
        tables.insert(row.get::<_, u32>(0), table);
    }
    let oids: Vec<u32> = tables.keys().copied().collect();
    for row in session.query(COLUMNS, &[&oids]).await? {
        let (is_generated, is_drawn): (bool, bool) = (row.get(6), row.get(7));
        let column = Column {
            name: row.get(1),
            type_sql: row.get(2),
            type_oid: row.get(3),
            typmod: row.get(4),
            is_not_null: row.get(5),
            is_servers: is_generated || is_drawn,
            is_unique: row.get(8),
            bounds: row.get(9),
        };
        if let Some(table) = tables.get_mut(&row.get::<_, u32>(0)) {
            table.columns.push(column);
        }
    }
    for row in session.query(FOREIGN_KEYS, &[&oids]).await? {
        let key = ForeignKey {
            name: row.get(1),
            parent: RelationName::new(row.get::<_, String>(2), row.get::<_, String>(3)),
            columns: row.get(4),
            parent_columns: row.get(5),
            is_unique: row.get(6),
        };
        if let Some(table) = tables.get_mut(&row.get::<_, u32>(0)) {
            table.foreign_keys.push(key);
        }
    }
    let mut tables: Vec<Table> = tables.into_values().collect();
    tables.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(tables)
}
