//! Keeps everybody out but us, and knows when the last one is gone.

use std::collections::HashSet;
use std::time::Duration;

use atalaya_data::Lsn;
use atalaya_postgres::{Session, Statement};
use futures_util::future::join;
use tokio::time::Instant;

use super::{FenceError, Plan, statements};

/// Between two looks at who is left; a session ends within a few milliseconds.
const LOOK: Duration = Duration::from_millis(2);

/// A fence that stands, with nobody behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raised {
    /// Sessions that were ended.
    pub ended: u64,
    /// Sessions of superusers, which an ordinary role can neither end nor keep out.
    pub beyond_reach: u64,
    /// What was committed by anybody who is kept out stands before it.
    pub fenced_at: Lsn,
}

/// Who is left. What belongs to us is known by role and name together: another role's session may call itself anything.
/// A login that has passed the server's check, but is not among the sessions yet, holds a lock on the database.
const LOOK_SQL: &str = "
WITH others AS MATERIALIZED (
    SELECT a.pid, me.rolsuper OR NOT coalesce(r.rolsuper, false) AS reachable, NOT $2 OR a.state = 'idle' AS may_end
      FROM pg_catalog.pg_stat_activity a
      JOIN pg_catalog.pg_roles me ON me.rolname = session_user
      LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
     WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
       AND coalesce(a.backend_type, 'client backend') = 'client backend'
       AND NOT (a.usename = session_user AND a.application_name LIKE 'atalaya%') AND a.pid <> ALL ($1)),
ended AS MATERIALIZED (SELECT o.pid, pg_catalog.pg_terminate_backend(o.pid) AS signalled FROM others o
                        WHERE o.reachable AND coalesce(o.may_end, false))
SELECT (SELECT count(*) FROM others WHERE reachable), (SELECT count(*) FROM others WHERE NOT reachable),
       (SELECT coalesce(array_agg(e.pid), '{}') FROM ended e WHERE e.signalled),
       (SELECT count(*) FROM pg_catalog.pg_locks l
         WHERE l.locktype = 'object' AND l.classid = 'pg_catalog.pg_database'::pg_catalog.regclass
           AND l.objid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
           AND l.mode = 'RowExclusiveLock' AND l.pid <> pg_catalog.pg_backend_pid()),
       (SELECT count(*) FROM pg_catalog.pg_prepared_xacts p WHERE p.database = pg_catalog.current_database()),
       pg_catalog.pg_current_wal_insert_lsn()::text";

/// Has the server load and plan what raising and lifting take, while nobody waits for it.
///
/// # Errors
/// The server's.
pub async fn warm_up(session: &Session) -> Result<(), FenceError> {
    session.batch("DO $$ BEGIN PERFORM 1 FROM atalaya.fence; END $$").await?;
    session.prepare(LOOK_SQL).await?;
    let looked_at =
        "SELECT (SELECT count(*) FROM pg_catalog.pg_stat_activity), (SELECT count(*) FROM pg_catalog.pg_locks),
                            (SELECT count(*) FROM pg_catalog.pg_prepared_xacts)";
    session.query(looked_at, &[]).await?;
    Ok(())
}

/// Raises the fence of an epoch, ends every session that is not ours, and returns once they are gone. Raised twice it is
/// raised once. `spared` are server processes of sessions by which others lift it. For as long as `grace` a session that has a
/// transaction is ended only once that is over. That the fence outlives the server's end is certain once anything behind it in
/// the server's log is on its disk.
///
/// # Errors
/// [`FenceError::Over`] for an epoch that was lifted; [`FenceError::Running`] where a transaction outlives its grace;
/// [`FenceError::Stays`] where sessions are left at the limit, and
/// [`FenceError::Prepared`] where a prepared transaction is: the fence stands then, and has to be lifted.
pub async fn raise(
    session: &Session,
    plan: &Plan,
    route: &str,
    epoch: u64,
    spared: &[i32],
    grace: Duration,
    limit: Duration,
) -> Result<Raised, FenceError> {
    let began = Instant::now();
    let until = began + limit;
    let statement = statements::raise(plan, route, epoch, limit);
    // Sent at once: one round trip.
    let raising = join(session.batch(&statement), session.prepare(LOOK_SQL));
    let (raised, looking) = tokio::time::timeout_at(until, raising).await.map_err(|_| FenceError::Slow { limit })?;
    raised.map_err(|error| FenceError::of_raising(error, epoch))?;
    let looking = looking?;
    tracing::debug!(epoch, took_us = began.elapsed().as_micros(), "nobody new is let in");
    let clearing = clear(session, &looking, spared, grace, until, limit);
    tokio::time::timeout_at(until + LOOK, clearing).await.unwrap_or(Err(FenceError::Slow { limit }))
}

/// Ends sessions until none is left.
async fn clear(
    session: &Session,
    looking: &Statement,
    spared: &[i32],
    grace: Duration,
    until: Instant,
    limit: Duration,
) -> Result<Raised, FenceError> {
    let (patient, patient_until) = (!grace.is_zero(), Instant::now() + grace);
    let mut ended = HashSet::new();
    // Once nobody is logging in, whoever had begun to is among the sessions at the next look.
    let mut nobody_logging_in = false;
    loop {
        let rows = session.query_prepared(looking, &[&spared, &patient]).await?;
        let Some(row) = rows.first() else { return Err(FenceError::Unreadable) };
        let count = |column: usize| u64::try_from(row.get::<_, i64>(column)).unwrap_or_default();
        if count(4) > 0 {
            return Err(FenceError::Prepared { transactions: count(4) });
        }
        let left = count(0);
        tracing::debug!(left, logging_in = count(3), "sessions that are to end");
        ended.extend(row.get::<_, Vec<i32>>(2));
        if left == 0 && nobody_logging_in {
            let fenced_at = row.get::<_, String>(5).parse().map_err(|_| FenceError::Unreadable)?;
            let ended = u64::try_from(ended.len()).unwrap_or(u64::MAX);
            return Ok(Raised { ended, beyond_reach: count(1), fenced_at });
        }
        if patient && left > 0 && Instant::now() >= patient_until {
            return Err(FenceError::Running { sessions: left, limit: grace });
        }
        nobody_logging_in = count(3) == 0;
        if Instant::now() >= until {
            return Err(FenceError::Stays { sessions: left, limit });
        }
        if left > 0 || !nobody_logging_in {
            tokio::time::sleep(LOOK).await;
        }
    }
}
