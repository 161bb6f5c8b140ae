//! Transactions that no gateway waits for, and that hold a command up all the same.

use atalaya_postgres::Session;

use super::check::Seen;
use crate::fence::FenceError;

/// A new slot waits for every transaction that writes, in any database of its server. One as old as this may go on.
const OLD_S: f64 = 5.0;
/// The most that are told.
const TOLD: &str = "LIMIT 20";

/// Those of the whole server, as far as our role may see them; those of the database that is left are told of elsewhere.
pub(super) async fn elsewhere(session: &Session, place: &str, seen: &mut Seen) -> Result<(), FenceError> {
    anywhere(session, place, "datname <> pg_catalog.current_database()", seen).await
}

/// Those of every database.
pub(super) async fn anywhere(
    session: &Session,
    place: &str,
    condition: &str,
    seen: &mut Seen,
) -> Result<(), FenceError> {
    let sql = format!(
        "SELECT * FROM (
             SELECT a.pid, coalesce(a.usename::text, '') AS role, a.datname::text, extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::float8 AS age_s
               FROM pg_catalog.pg_stat_activity a
              WHERE a.backend_xid IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid() AND a.backend_type = 'client backend'
                AND a.application_name NOT LIKE 'atalaya%'
             UNION ALL
             SELECT 0, p.owner::text, p.database::text, extract(epoch FROM pg_catalog.clock_timestamp() - p.prepared)::float8
               FROM pg_catalog.pg_prepared_xacts p) AS t (pid, role, datname, age_s)
          WHERE {condition} AND age_s >= {OLD_S} ORDER BY age_s DESC {TOLD}"
    );
    for row in session.query(&sql, &[]).await? {
        let (pid, role, database, age_s): (i32, String, String, f64) = (row.get(0), row.get(1), row.get(2), row.get(3));
        let waits =
            format!("of `{role}` in the database {database} of `{place}` has written and is open for {age_s:.1} s");
        let (who, remedy) = match pid {
            0 => (
                format!("a prepared transaction {waits}"),
                "COMMIT PREPARED or ROLLBACK PREPARED it there: pg_prepared_xacts names it".to_owned(),
            ),
            pid => (format!("session {pid} {waits}"), format!("wait for it, or SELECT pg_terminate_backend({pid})")),
        };
        seen.warn("long-transactions", format!("{who}: a slot that is made now waits for it"), remedy);
    }
    Ok(())
}
