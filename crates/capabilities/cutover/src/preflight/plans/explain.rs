//! One side's plans: EXPLAIN alone, so that no statement is executed. What planning itself runs, [`super::foreign`] says.
//!
//! The server is asked to prepare the text and for its generic plan, on every version in the same way: with values in place of
//! parameters it would plan for those. `EXPLAIN (GENERIC_PLAN)` is of 16 and later only. Partitions are not pruned, since an
//! EXPLAIN of a prepared statement would show none that NULL does not fall into. Each statement has a transaction of its own,
//! which reads only and is rolled back.

use std::time::Duration;

use atalaya_data::quote_literal;
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::{Error, JsonText, Session};

use super::judge::Memory;
use super::shape::{Shape, Table};

const APPLICATION: &str = "atalaya cutover";
/// For a table that somebody changes just now.
const LOCK_LIMIT: Duration = Duration::from_millis(500);
/// The name under which each text is prepared, one after the other.
const NAME: &str = "atalaya_plan";

/// Keeps texts out of the server's own log and statistics.
const SILENT: &[&str] = &[
    "pg_stat_statements.track = 'none'",
    "log_statement = 'none'",
    "log_min_duration_statement = -1",
    "log_min_duration_sample = -1",
    "log_transaction_sample_rate = 0",
    "log_min_error_statement = 'panic'",
    "log_min_messages = 'fatal'",
];
const ALMIGHTY: &str = "
    SELECT EXISTS (SELECT FROM pg_catalog.pg_roles r
                    WHERE (r.rolsuper OR r.rolname IN ('pg_execute_server_program', 'pg_write_server_files'))
                      AND pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER'))";

/// What a server says of one statement.
pub(super) enum Answer {
    Plan(Shape),
    /// It refuses, with this SQLSTATE.
    Refused(String),
}

/// One server that plans.
pub(super) struct Planner {
    pub(super) session: Session,
    pub(super) memory: Memory,
    /// Whether its role may do everything there, or give itself the right to.
    pub(super) is_almighty: bool,
}

impl Planner {
    pub(super) async fn connect(url: &ConnectionUrl, limit: Duration) -> Result<Self, Error> {
        let session = Session::connect_for_control(url, APPLICATION).await?;
        session.batch(&format!("SET statement_timeout = {}", limit.as_millis().max(1))).await?;
        // What is asked here is of no interest there, and texts may hold values; only superusers may say so.
        for setting in SILENT {
            let silent = session.batch(&format!("SET {setting}")).await;
            if let Err(error) = &silent
                && error.sqlstate().is_none()
            {
                silent?;
            }
        }
        let sql = "SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting('work_mem'))::float8,
                          pg_catalog.current_setting('hash_mem_multiplier')::float8";
        let row = session.query_one(sql, &[]).await?;
        let (sort_bytes, multiplier): (f64, f64) = (row.get(0), row.get(1));
        let is_almighty = session.query_one(ALMIGHTY, &[]).await?.get(0);
        Ok(Self { session, memory: Memory { sort_bytes, hash_bytes: sort_bytes * multiplier }, is_almighty })
    }

    /// The generic plan of one statement within `limit`.
    pub(super) async fn plan(&self, text: &str, search_path: &str, limit: Duration) -> Result<Answer, Error> {
        // In force before the text is looked at; row security as clients have it, where it is forced upon its owner.
        let begin = format!(
            "BEGIN READ ONLY; SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {};
             SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_partition_pruning = off;
             SET LOCAL row_security = on; SET LOCAL jit = off;
             SELECT pg_catalog.set_config('search_path', {}, true)",
            limit.as_millis().max(1),
            LOCK_LIMIT.as_millis(),
            quote_literal(&behind_the_servers_own(search_path))
        );
        self.session.batch(&begin).await?;
        let (prepared, answer) = self.explain(text).await;
        let end = if prepared { format!("ROLLBACK; DEALLOCATE {NAME}") } else { "ROLLBACK".to_owned() };
        self.session.batch(&end).await?;
        match answer {
            Ok(Some(shape)) => Ok(Answer::Plan(shape)),
            // A form that this version does not know.
            Ok(None) => Ok(Answer::Refused(String::new())),
            Err(error) => error.sqlstate().map(|state| Answer::Refused(state.to_owned())).ok_or(error),
        }
    }

    /// Whether the text is prepared now, and its plan.
    async fn explain(&self, text: &str) -> (bool, Result<Option<Shape>, Error>) {
        // A text of its own, never part of a batch: the protocol takes one statement here and no more.
        if let Err(error) = self.session.query(&format!("PREPARE {NAME} AS {text}"), &[]).await {
            return (false, Err(error));
        }
        (true, self.explain_prepared().await)
    }

    async fn explain_prepared(&self) -> Result<Option<Shape>, Error> {
        let sql =
            "SELECT coalesce(pg_catalog.array_length(parameter_types, 1), 0) FROM pg_catalog.pg_prepared_statements
                    WHERE name = $1::text";
        let count = self.session.query_one(sql, &[&NAME]).await?.get::<_, i32>(0);
        let nulls = vec!["NULL"; usize::try_from(count).unwrap_or_default()];
        let parameters = if nulls.is_empty() { String::new() } else { format!("({})", nulls.join(", ")) };
        let sql = format!("EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE {NAME}{parameters}");
        let row = self.session.query_one(&sql, &[]).await?;
        Ok(row.try_get::<_, JsonText>(0).ok().and_then(|json| Shape::read(&json.0)))
    }

    /// How many pages a table has here.
    pub(super) async fn pages(&self, table: &Table) -> Result<u64, Error> {
        let sql = "SELECT pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int8
                     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = $1::text AND c.relname = $2::text";
        let row = self.session.query_opt(sql, &[&table.schema, &table.name]).await?;
        let pages = row.and_then(|row| row.try_get::<_, i64>(0).ok());
        Ok(pages.and_then(|pages| u64::try_from(pages).ok()).unwrap_or_default())
    }
}

/// The server's own names come first, wherever a role has put them: what is written in place of a function of the server's
/// own, and what is asked here, must mean no operator of anybody else's.
fn behind_the_servers_own(search_path: &str) -> String {
    match search_path.trim() {
        "" => "pg_catalog".to_owned(),
        path => format!("pg_catalog, {path}"),
    }
}
