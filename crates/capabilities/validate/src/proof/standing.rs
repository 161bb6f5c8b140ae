//! What the target says was proven and written since, as of a snapshot.

use std::collections::HashMap;

use atalaya_data::RelationName;
use atalaya_postgres::Session;

use crate::Error;

/// One table of the target.
#[derive(Clone, Debug)]
pub(crate) struct TableStanding {
    /// What was compared when its row was written.
    pub(crate) shape: String,
    /// Seconds since every row was found equal; none when that does not count any more, or never was.
    pub(crate) full_age_seconds: Option<f64>,
    /// Keys written since, some of them perhaps counted twice.
    pub(crate) keys: u64,
    /// Whether the table as a whole was written.
    pub(crate) whole: bool,
    /// Keys after which the table is noted as a whole.
    pub(crate) keys_max: i64,
}

/// Every table of a migration, and the moment of the snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// When the snapshot was opened, as the target writes it.
    pub(crate) at: String,
    /// The last note in the snapshot.
    pub(crate) last_note: i64,
    tables: HashMap<RelationName, TableStanding>,
}

impl Standing {
    /// Reads it in the session's snapshot.
    pub(crate) async fn read(session: &Session, migration: &str) -> Result<Self, Error> {
        let row = session
            .query_one(
                "SELECT pg_catalog.now()::text,
                        (SELECT coalesce(max(id), 0) FROM atalaya.touched WHERE migration = $1)",
                &[&migration],
            )
            .await?;
        let rows = session
            .query(
                "SELECT p.schema, p.name, p.shape,
                        extract(epoch FROM pg_catalog.now() - CASE WHEN p.full_lsn IS NOT NULL THEN p.full_at END)::float8,
                        coalesce(t.keys, 0), coalesce(t.whole, false), p.keys_max
                   FROM atalaya.proof_tables p
                   LEFT JOIN (SELECT schema, name, sum(keys_count)::int8 AS keys, bool_or(keys IS NULL) AS whole
                                FROM atalaya.touched WHERE migration = $1 GROUP BY schema, name) AS t USING (schema, name)
                  WHERE p.migration = $1",
                &[&migration],
            )
            .await?;
        let tables = rows.iter().map(|row| {
            let name = RelationName::new(row.get::<_, String>(0), row.get::<_, String>(1));
            let table = TableStanding {
                shape: row.get(2),
                full_age_seconds: row.get(3),
                keys: u64::try_from(row.get::<_, i64>(4)).unwrap_or_default(),
                whole: row.get(5),
                keys_max: row.get(6),
            };
            (name, table)
        });
        Ok(Self { at: row.get(0), last_note: row.get(1), tables: tables.collect() })
    }

    /// What is known of a table of the target.
    pub(crate) fn of(&self, name: &RelationName) -> Option<&TableStanding> {
        self.tables.get(name)
    }
}
