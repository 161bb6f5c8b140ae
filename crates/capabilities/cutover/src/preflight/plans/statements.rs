//! The statements that take most of a server's time, as `pg_stat_statements` has them: with parameters for values.

use atalaya_data::quote_literal;
use atalaya_postgres::{Error, Session};

use crate::extension;

/// Longer texts are not planned: 50 of them are kept at a time.
const TEXT_BYTES_MAX: i32 = 64 << 10;

/// One statement. Never shown but for its number: where the server had no room to put parameters for them, its text may
/// hold values.
pub(super) struct Statement {
    pub(super) id: i64,
    pub(super) calls: i64,
    pub(super) mean_ms: f64,
    /// None where it is too long, or cannot be read.
    pub(super) text: Option<String>,
    /// As the role that spends most time on it has it, unless its sessions set another one.
    pub(super) search_path: String,
}

/// What there is to be had of them.
pub(super) enum Found {
    /// Those that take most time, in that order.
    Statements(Vec<Statement>),
    /// The database has no such extension, or the server has not loaded it.
    NoExtension,
}

/// Those of this database that can have a plan, of roles that are not ours.
pub(super) async fn longest(session: &Session, count: usize) -> Result<Found, Error> {
    let Some(schema) = extension::schema_of(session, "pg_stat_statements").await? else {
        return Ok(Found::NoExtension);
    };
    // An extension that came with an upgraded server may be of an earlier version.
    let sql = format!(
        "SELECT a.attname::text FROM pg_catalog.pg_attribute a
          WHERE a.attrelid = {}::pg_catalog.regclass AND a.attname IN ('total_exec_time', 'total_time')",
        quote_literal(&format!("{schema}.pg_stat_statements"))
    );
    let Some(time) = session.query_opt(&sql, &[]).await? else { return Ok(Found::NoExtension) };
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let rows = match session.query(&ranking(&schema, &time.get::<_, String>(0)), &[&count]).await {
        // Not in shared_preload_libraries.
        Err(error) if error.sqlstate() == Some("55000") => return Ok(Found::NoExtension),
        rows => rows?,
    };
    let of = |row: &atalaya_postgres::Row| Statement {
        id: row.get(0),
        calls: row.get(1),
        mean_ms: row.get(2),
        // A database whose encoding is SQL_ASCII may hold anything.
        text: row.try_get(3).ok().flatten(),
        search_path: row.get(4),
    };
    Ok(Found::Statements(rows.iter().map(of).collect()))
}

/// Which texts can have a plan, the server is asked: the first word behind comments and parentheses decides.
fn ranking(schema: &str, time: &str) -> String {
    format!(
        r#"SELECT g.queryid, g.calls, g.total_ms / greatest(g.calls, 1), g.query,
                  pg_catalog.replace(coalesce(
                    (SELECT pg_catalog.substr(c, 13)
                       FROM pg_catalog.pg_db_role_setting d, pg_catalog.unnest(d.setconfig) c
                      WHERE d.setrole IN (0, g.userid) AND d.setdatabase IN (0, g.dbid) AND c LIKE 'search\_path=%'
                      ORDER BY d.setrole <> 0 DESC, d.setdatabase <> 0 DESC LIMIT 1),
                    (SELECT boot_val FROM pg_catalog.pg_settings WHERE name = 'search_path')),
                    '"$user"', pg_catalog.quote_ident(r.rolname))
             FROM (SELECT s.dbid, s.queryid, sum(s.calls)::int8 AS calls, sum(s.{time})::float8 AS total_ms,
                          (pg_catalog.array_agg(s.userid ORDER BY s.{time} DESC))[1] AS userid,
                          (pg_catalog.array_agg(CASE WHEN pg_catalog.octet_length(s.query) <= {TEXT_BYTES_MAX} THEN s.query END
                                                ORDER BY s.{time} DESC))[1] AS query
                     FROM {schema}.pg_stat_statements s
                    WHERE s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
                      AND s.userid <> (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user)
                      AND pg_catalog.left(s.query, 2000) ~* '^(\s|\(|--[^\n]*\n|/\*([^*]|\*+[^*/])*\*+/)*(select|insert|update|delete|merge|with|values|table)\M'
                    GROUP BY 1, 2) g
             JOIN pg_catalog.pg_roles r ON r.oid = g.userid
            ORDER BY g.total_ms DESC LIMIT $1"#
    )
}
