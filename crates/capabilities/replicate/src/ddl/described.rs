//! The source's tables as its catalog describes them by now: what the stream says of a table is only its columns'
//! names and types.

use std::collections::HashMap;

use atalaya_data::RelationName;
use atalaya_postgres::Session;

use super::definition::{DefinedColumn, Definition};
use crate::Error;

/// Differs whenever a table's name, its columns or the file of its rows do; of the relation `c` in the schema `n`.
pub(super) const SHAPE: &str = "pg_catalog.hashtextextended(
        pg_catalog.concat_ws(' ', n.nspname, c.relname, c.relnatts, pg_catalog.pg_relation_filenode(c.oid),
            (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attnum, a.attname, a.atttypid, a.atttypmod,
                        a.attisdropped), ',' ORDER BY a.attnum)
               FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0)) COLLATE pg_catalog.\"C\", 0)";

/// A table of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceTable {
    pub(crate) name: RelationName,
    /// The root of its partition tree, for a partition.
    pub(crate) root: Option<RelationName>,
    /// Whether rows that are updated or deleted can be known; if not, such statements fail on the source itself.
    pub(crate) identified: bool,
    pub(crate) definition: Definition,
    /// What the source makes of [`SHAPE`].
    pub(crate) shape: i64,
    /// Columns in `attnum` order.
    pub(crate) columns: Vec<SourceColumn>,
}

impl SourceTable {
    /// A column's type with its length, as SQL.
    pub(crate) fn declared(&self, name: &str) -> Option<&str> {
        self.columns.iter().find(|column| column.defined.name == name).map(|column| column.declared.as_str())
    }
}

/// A column with what it takes to make the same one.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct SourceColumn {
    #[serde(flatten)]
    pub(super) defined: DefinedColumn,
    /// The type with its length, as SQL.
    pub(super) declared: String,
    /// The collation as SQL, where it is not the type's own.
    pub(super) collation: Option<String>,
    pub(super) not_null: bool,
    /// Whether its values are in the stream: those of generated columns are not.
    pub(super) travels: bool,
    /// The default's expression as SQL.
    pub(super) default: Option<String>,
    /// What rows from before the column have in it, as text (`pg_attribute.attmissingval`).
    pub(super) missing: Option<String>,
}

impl SourceColumn {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.defined.name
    }

    /// Whether the same statement makes both, with the same values in rows that are there.
    pub(crate) fn is_made_like(&self, other: &Self) -> bool {
        let made = |column: &Self| {
            (column.defined.name.clone(), column.declared.clone(), column.collation.clone(), column.missing.clone())
        };
        made(self) == made(other)
    }
}

/// Which tables are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which<'a> {
    /// Every plain table.
    All,
    /// Those of these OIDs.
    Of(&'a [u32]),
    /// All partitions of one tree.
    Under(&'a RelationName),
}

/// Definitions of every plain table, by name.
pub(crate) async fn read_definitions(source: &Session) -> Result<HashMap<RelationName, Definition>, Error> {
    Ok(describe(source, Which::All).await?.into_iter().map(|table| (table.name, table.definition)).collect())
}

/// What the table of that OID is now; none when it is gone.
pub(crate) async fn describe_one(source: &Session, oid: u32) -> Result<Option<SourceTable>, Error> {
    Ok(describe(source, Which::Of(&[oid])).await?.pop())
}

/// The name of the table of that OID and the file that its rows are in; none when it is gone. Asked after every load, where
/// the whole description would take longer than many a table.
pub(crate) async fn name_and_file(source: &Session, oid: u32) -> Result<Option<(RelationName, u32)>, Error> {
    let row = source
        .query_opt(
            "SELECT n.nspname::text, c.relname::text, pg_catalog.pg_relation_filenode(c.oid)
               FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE c.oid = $1 AND c.relkind = 'r' AND c.relpersistence <> 't'",
            &[&oid],
        )
        .await?;
    Ok(row.map(|row| {
        let name = RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1));
        (name, row.get::<_, Option<u32>>(2).unwrap_or_default())
    }))
}

/// What tables of the source are now.
pub(crate) async fn describe(source: &Session, which: Which<'_>) -> Result<Vec<SourceTable>, Error> {
    let mut oids: &[u32] = &[];
    let mut root = String::new();
    let condition = match which {
        Which::All => "true",
        Which::Of(of) => {
            oids = of;
            "c.oid = ANY ($1)"
        }
        Which::Under(name) => {
            root = name.to_sql();
            "c.relispartition AND pg_catalog.pg_partition_root(c.oid) = pg_catalog.to_regclass($2)"
        }
    };
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, c.oid, pg_catalog.pg_relation_filenode(c.oid), c.relnatts,
                CASE WHEN c.relispartition THEN rn.nspname::text END,
                CASE WHEN c.relispartition THEN rc.relname::text END,
                CASE c.relreplident WHEN 'f' THEN true WHEN 'n' THEN false
                     ELSE EXISTS (SELECT FROM pg_catalog.pg_index x WHERE x.indrelid = c.oid AND x.indisvalid
                                     AND CASE c.relreplident WHEN 'i' THEN x.indisreplident ELSE x.indisprimary END)
                END,
                (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
                            'number', a.attnum, 'name', a.attname, 'type_oid', a.atttypid::int8,
                            'type_modifier', a.atttypmod, 'not_null', a.attnotnull, 'travels', a.attgenerated = '',
                            'declared', pg_catalog.format_type(a.atttypid, a.atttypmod),
                            'collation', CASE WHEN a.attcollation <> t.typcollation
                                              THEN pg_catalog.format('%I.%I', ln.nspname, l.collname) END,
                            'default', CASE WHEN a.attgenerated = ''
                                            THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
                            'missing', CASE WHEN a.atthasmissing
                                            THEN pg_catalog.array_to_string(a.attmissingval, '') END)
                            ORDER BY a.attnum), '[]')::text
                   FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                   LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
                   LEFT JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace
                   LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
                {SHAPE}
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           LEFT JOIN pg_catalog.pg_class rc ON c.relispartition AND rc.oid = pg_catalog.pg_partition_root(c.oid)
           LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
          WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND ($1::oid[] IS NOT NULL AND $2::text IS NOT NULL)
            AND {condition}"
    );
    let rows = source.query(&sql, &[&oids, &root]).await?;
    rows.iter()
        .map(|row| {
            let columns: Vec<SourceColumn> = serde_json::from_str(&row.get::<_, String>(8))
                .map_err(|_| Error::Broken("the columns of a table cannot be read"))?;
            let root = row.get::<_, Option<String>>(5).zip(row.get::<_, Option<String>>(6));
            Ok(SourceTable {
                name: RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1)),
                root: root.map(|(schema, name)| RelationName::new(schema, name)),
                identified: row.get::<_, Option<bool>>(7).unwrap_or_default(),
                definition: Definition {
                    oid: row.get(2),
                    filenode: row.get::<_, Option<u32>>(3).unwrap_or_default(),
                    attributes: row.get(4),
                    columns: columns.iter().map(|column| column.defined.clone()).collect(),
                },
                shape: row.get(9),
                columns,
            })
        })
        .collect()
}
