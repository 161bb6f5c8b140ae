//! How old the proof is, for `status`.

use atalaya_postgres::Session;

use crate::Error;

/// What is proven of a migration's tables, and what is written since.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct ProofStatus {
    /// The position at which everything was last found equal; none when it never was.
    pub proven_lsn: Option<String>,
    /// Seconds since then.
    pub proven_seconds: Option<f64>,
    /// The position of the last pass over every table.
    pub passed_lsn: Option<String>,
    /// Seconds since then.
    pub passed_seconds: Option<f64>,
    /// Tables that the last pass left unproven.
    pub unproven_tables: i64,
    /// Tables of the target.
    pub tables: i64,
    /// Of these, every row was compared once and found equal.
    pub full_tables: i64,
    /// The position of the oldest of these comparisons.
    pub full_lsn: Option<String>,
    /// Seconds since then.
    pub full_seconds: Option<f64>,
    /// Keys written since, which the next pass looks at; a key may be counted twice.
    pub touched_keys: i64,
    /// Tables of which the next pass looks at every row.
    pub whole_tables: i64,
}

impl ProofStatus {
    /// Reads it from the target.
    pub(crate) async fn read(session: &Session, migration: &str) -> Result<Self, Error> {
        let row = session
            .query_one(
                "WITH t AS (SELECT DISTINCT target_schema AS schema, target_name AS name
                              FROM atalaya.tables WHERE migration = $1),
                      n AS (SELECT schema, name, sum(keys_count)::int8 AS keys, bool_or(keys IS NULL) AS whole
                              FROM atalaya.touched WHERE migration = $1 GROUP BY schema, name),
                      f AS (SELECT t.schema, t.name, p.full_lsn, p.full_at, coalesce(n.keys, 0) AS keys,
                                   p.full_lsn IS NULL OR coalesce(n.whole, false) AS whole
                              FROM t LEFT JOIN atalaya.proof_tables p
                                ON p.migration = $1 AND p.schema = t.schema AND p.name = t.name
                              LEFT JOIN n ON n.schema = t.schema AND n.name = t.name),
                      s AS (SELECT count(*) AS tables, count(full_lsn) AS full_tables, min(full_lsn)::text AS full_lsn,
                                   min(full_at) AS full_at, count(*) FILTER (WHERE whole) AS whole,
                                   coalesce(sum(keys) FILTER (WHERE NOT whole), 0)::int8 AS keys FROM f)
                 SELECT p.clean_lsn::text, extract(epoch FROM pg_catalog.clock_timestamp() - p.clean_at)::float8,
                        p.passed_lsn::text, extract(epoch FROM pg_catalog.clock_timestamp() - p.passed_at)::float8,
                        coalesce(p.unproven, 0)::int8, s.tables, s.full_tables, s.full_lsn,
                        extract(epoch FROM pg_catalog.clock_timestamp() - s.full_at)::float8, s.keys, s.whole
                   FROM s LEFT JOIN atalaya.proof p ON p.migration = $1",
                &[&migration],
            )
            .await?;
        let seconds = |column: usize| row.get::<_, Option<f64>>(column).map(|seconds| seconds.max(0.0));
        Ok(Self {
            proven_lsn: row.get(0),
            proven_seconds: seconds(1),
            passed_lsn: row.get(2),
            passed_seconds: seconds(3),
            unproven_tables: row.get(4),
            tables: row.get(5),
            full_tables: row.get(6),
            full_lsn: row.get(7),
            full_seconds: seconds(8),
            touched_keys: row.get(9),
            whole_tables: row.get(10),
        })
    }
}
