//! The tables, made once under a lock; those of a later version are refused untouched.

use atalaya_postgres::Session;

use super::failure::failed;
use crate::Error;

const SCHEMA: &str = include_str!("schema.sql");
/// The format that this program writes.
const FORMAT: i64 = 1;
/// `atlj` in ASCII.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1635019882)";

/// Makes the tables where there are none. Two processes may do so at once.
pub(super) async fn ensure(session: &Session) -> Result<(), Error> {
    if found(session).await? {
        return Ok(());
    }
    let failed = failed("making its tables");
    session.batch(&format!("BEGIN; {LOCK}")).await.map_err(&failed)?;
    // Somebody else may have made them while the lock was waited for.
    if found(session).await? {
        return session.batch("ROLLBACK").await.map_err(failed);
    }
    session.batch(SCHEMA).await.map_err(&failed)?;
    session.batch("COMMIT").await.map_err(failed)
}

async fn found(session: &Session) -> Result<bool, Error> {
    let failed = failed("looking at its tables");
    // By the catalog's tables: functions as to_regclass answer from a cache that waiting for an advisory lock leaves old.
    let sql = "
        SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'atalaya_journal'),
               EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                        WHERE n.nspname = 'atalaya_journal' AND c.relname = 'format')";
    let row = session.query_one(sql, &[]).await.map_err(&failed)?;
    match (row.get(0), row.get(1)) {
        (false, _) => return Ok(false),
        (true, false) => {
            return Err(Error::NotAJournal { seen: "the schema `atalaya_journal` is another program's" });
        }
        (true, true) => {}
    }
    let row = session.query_one("SELECT version FROM atalaya_journal.format", &[]).await.map_err(&failed)?;
    match i64::from(row.get::<_, i32>(0)) {
        FORMAT => Ok(true),
        found => Err(Error::Version { found, known: FORMAT }),
    }
}

/// Refuses a server that a journal would be damaged by, and warns of one that loses what it has committed.
pub(super) async fn look_at_server(session: &Session) -> Result<(), Error> {
    let sql =
        "SELECT current_setting('server_encoding'), current_setting('fsync'), current_setting('full_page_writes'),
                      current_setting('synchronous_commit')";
    let row = session.query_one(sql, &[]).await.map_err(failed("looking at the server"))?;
    let setting = |column| row.get::<_, String>(column);
    if setting(0) != "UTF8" {
        return Err(Error::Unsuitable { reason: "the database's encoding is not UTF8" });
    }
    for (column, name) in [(1, "fsync"), (2, "full_page_writes")] {
        if setting(column) == "off" {
            tracing::warn!(
                place = session.place(),
                "the journal's server has {name} off: a crash of its machine loses events"
            );
        }
    }
    if setting(3) == "off" {
        // A setting of the session, unlike the other two.
        tracing::warn!(place = session.place(), "synchronous_commit is off on the journal's server; here it is on");
        session.batch("SET synchronous_commit = on").await.map_err(failed("looking at the server"))?;
    }
    Ok(())
}
