//! Relations, their columns and the key their rows are known by.

use std::collections::HashMap;

use atalaya_catalog::{Column, Generated, Identity, Key, Relation, RelationKind, ReplicaIdentity, TypeKind};
use atalaya_data::RelationName;

use crate::{Error, Row, Session};

/// Our own schema is never part of a move.
const SYSTEM_SCHEMAS: &str = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'atalaya')";

/// Types whose equality is that of their text: bool, bytea, "char", name, int8, int2, int4, text, oid, bpchar,
/// varchar, date, time, timestamp, timestamptz, uuid, macaddr. Not numeric, floats or intervals, which have
/// several texts for one value.
const BYTE_COMPARABLE: &str = "'{16,17,18,19,20,21,23,25,26,1042,1043,1082,1083,1114,1184,2950,829}'::oid[]";

/// Every table, partitioned table and foreign table of the database, in name order.
///
/// # Errors
/// The server's.
pub async fn read_relations(session: &Session) -> Result<Vec<Relation>, Error> {
    let mut relations = read_tables(session).await?;
    let positions: HashMap<u32, usize> =
        relations.iter().enumerate().map(|(position, relation)| (relation.oid, position)).collect();
    for row in read_columns(session).await? {
        let oid: u32 = row.get("attrelid");
        if let Some(relation) = positions.get(&oid).and_then(|position| relations.get_mut(*position)) {
            relation.columns.push(column_from(&row));
        }
    }
    for row in read_unique_indexes(session).await? {
        let oid: u32 = row.get("indrelid");
        if let Some(relation) = positions.get(&oid).and_then(|position| relations.get_mut(*position)) {
            add_unique_index(relation, &row);
        }
    }
    for relation in &mut relations {
        let index_fits = |key: &Key| match &relation.replica_identity {
            ReplicaIdentity::Default => key.primary,
            ReplicaIdentity::Index(name) => *name == key.index,
            ReplicaIdentity::Full | ReplicaIdentity::Nothing => false,
        };
        relation.followable =
            relation.replica_identity == ReplicaIdentity::Full || relation.key.as_ref().is_some_and(index_fits);
    }
    Ok(relations)
}

async fn read_tables(session: &Session) -> Result<Vec<Relation>, Error> {
    let sql = format!(
        "SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind,
                c.relpersistence::text AS persistence, c.relreplident::text AS identity,
                c.reltuples::float8 AS rows, c.relpages::int8 AS blocks, c.relrowsecurity,
                -- No size for a table that is being dropped.
                CASE WHEN c.relkind IN ('r') THEN coalesce(pg_catalog.pg_table_size(c.oid), 0) ELSE 0 END AS bytes,
                pg_catalog.pg_get_userbyid(c.relowner)::text AS owner, e.extname::text AS extension,
                CASE WHEN c.relispartition THEN rn.nspname::text END AS root_schema,
                CASE WHEN c.relispartition THEN rc.relname::text END AS root_name,
                (SELECT i.relname::text FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
                  WHERE x.indrelid = c.oid AND x.indisreplident) AS identity_index,
                EXISTS (SELECT FROM pg_catalog.pg_index x
                         WHERE x.indrelid = c.oid AND (x.indisunique OR x.indisexclusion) AND NOT x.indimmediate)
                  AS deferrable_unique
           FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                 AND d.objsubid = 0 AND d.deptype = 'e'
           LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
           LEFT JOIN pg_catalog.pg_class rc ON c.relispartition AND rc.oid = pg_catalog.pg_partition_root(c.oid)
           LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
          WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND {SYSTEM_SCHEMAS}
          ORDER BY n.nspname::text COLLATE \"C\", c.relname::text COLLATE \"C\""
    );
    Ok(session.query(&sql, &[]).await?.iter().map(relation_from).collect())
}

fn relation_from(row: &Row) -> Relation {
    let text = |name: &str| row.get::<_, String>(name);
    let kind = match (text("kind").as_str(), text("persistence").as_str()) {
        ("p", _) => RelationKind::Partitioned,
        ("f", _) => RelationKind::Foreign,
        (_, "u") => RelationKind::Unlogged,
        _ => RelationKind::Table,
    };
    let root: Option<String> = row.get("root_name");
    let identity_index: Option<String> = row.get("identity_index");
    Relation {
        oid: row.get("oid"),
        name: RelationName::new(text("schema"), text("name")),
        kind,
        columns: Vec::new(),
        key: None,
        other_unique_indexes: 0,
        deferrable_unique: row.get("deferrable_unique"),
        replica_identity: match (text("identity").as_str(), identity_index) {
            ("f", _) => ReplicaIdentity::Full,
            ("i", Some(index)) => ReplicaIdentity::Index(index),
            // An identity index that was dropped leaves `i` behind and identifies nothing.
            ("n" | "i", _) => ReplicaIdentity::Nothing,
            _ => ReplicaIdentity::Default,
        },
        followable: false,
        partition_root: root.map(|name| RelationName::new(text("root_schema"), name)),
        estimated_rows: row.get("rows"),
        blocks: u64::try_from(row.get::<_, i64>("blocks")).unwrap_or_default(),
        bytes: u64::try_from(row.get::<_, i64>("bytes")).unwrap_or_default(),
        owner: text("owner"),
        row_security: row.get("relrowsecurity"),
        extension: row.get("extension"),
    }
}

async fn read_columns(session: &Session) -> Result<Vec<Row>, Error> {
    let sql = format!(
        "SELECT a.attrelid, a.attnum, a.attname::text AS name, a.atttypid,
                pg_catalog.format_type(a.atttypid, -1) AS type_sql,
                pg_catalog.format_type(a.atttypid, a.atttypmod) AS declared,
                t.typtype::text AS kind, coalesce(e.oid, 0::oid) AS element,
                a.atttypid >= 16384 AS user_defined,
                ((a.atttypid = ANY ({BYTE_COMPARABLE}) AND (a.atttypid <> 1042 OR a.atttypmod > 0)) OR t.typtype = 'e')
                  AND (a.attcollation = 0 OR coalesce(l.collisdeterministic, false)) AS byte_comparable, a.attnotnull, a.attgenerated::text AS generated,
                a.attidentity::text AS identity
           FROM pg_catalog.pg_attribute a
           JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
           -- int2vector and oidvector have elements, too, but are no arrays of them.
           LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
           LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
          WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
            AND {SYSTEM_SCHEMAS}
          ORDER BY a.attrelid, a.attnum"
    );
    session.query(&sql, &[]).await
}

fn column_from(row: &Row) -> Column {
    let text = |name: &str| row.get::<_, String>(name);
    let element_oid: u32 = row.get("element");
    Column {
        number: row.get("attnum"),
        name: text("name"),
        type_oid: row.get("atttypid"),
        type_sql: text("type_sql"),
        declared_type: text("declared"),
        type_kind: match text("kind").as_str() {
            "b" if element_oid != 0 => TypeKind::Array,
            "b" => TypeKind::Base,
            "c" => TypeKind::Composite,
            "d" => TypeKind::Domain,
            "e" => TypeKind::Enum,
            "r" => TypeKind::Range,
            "m" => TypeKind::Multirange,
            _ => TypeKind::Other,
        },
        element_oid,
        user_defined: row.get("user_defined"),
        byte_comparable: row.get("byte_comparable"),
        not_null: row.get("attnotnull"),
        generated: match text("generated").as_str() {
            "s" => Generated::Stored,
            "v" => Generated::Virtual,
            _ => Generated::No,
        },
        identity: match text("identity").as_str() {
            "a" => Identity::Always,
            "d" => Identity::ByDefault,
            _ => Identity::No,
        },
    }
}

/// Valid unique indexes; `plain` says whether one is total, over plain columns and immediate, since a deferrable
/// one can hold a key twice within a transaction. Whether all columns are NOT NULL is judged later.
async fn read_unique_indexes(session: &Session) -> Result<Vec<Row>, Error> {
    let sql = format!(
        "SELECT x.indrelid, i.relname::text AS name, x.indisprimary, x.indisreplident,
                x.indpred IS NULL AND x.indexprs IS NULL AND x.indimmediate AS plain,
                (x.indkey::int2[])[0:x.indnkeyatts - 1] AS columns
           FROM pg_catalog.pg_index x
           JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
           JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE x.indisunique AND x.indisvalid AND {SYSTEM_SCHEMAS}
          ORDER BY x.indrelid, x.indisreplident DESC, x.indisprimary DESC, x.indnkeyatts, i.relname"
    );
    session.query(&sql, &[]).await
}

/// The first that fits becomes the key: the query's order is the order of preference.
fn add_unique_index(relation: &mut Relation, row: &Row) {
    let numbers: Vec<i16> = row.get("columns");
    let columns: Option<Vec<usize>> = numbers
        .iter()
        .map(|number| relation.columns.iter().position(|column| column.number == *number && column.not_null))
        .collect();
    let primary: bool = row.get("indisprimary");
    let plain: bool = row.get("plain");
    match columns {
        Some(columns) if plain && relation.key.is_none() => {
            relation.key = Some(Key { index: row.get("name"), columns, primary });
        }
        _ => relation.other_unique_indexes += 1,
    }
}
