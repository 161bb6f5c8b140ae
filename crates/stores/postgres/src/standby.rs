//! A physical standby as a place to read its primary's rows from: what it is, whether it can serve, and waiting until it
//! has what the primary has written.

mod fitness;

use std::time::Duration;

use atalaya_data::Lsn;
use atalaya_estate::ConnectionUrl;
use tokio::time::Instant;

use crate::{Error, Session, running_transactions};

pub use fitness::{Unfit, judge};

/// Between two looks at how far it is.
const PAUSE: Duration = Duration::from_millis(50);

/// A server as a place to read a primary's rows from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandbyState {
    /// Whether it follows a primary at all.
    pub in_recovery: bool,
    /// The timeline that it receives, where the role may see that; else that of its last restart point.
    pub timeline: i32,
    /// The server's own `wal_level`; a slot asks for it besides the primary's.
    pub wal_level: String,
    /// Whether it keeps the primary from removing rows that its own sessions still see.
    pub feedback: bool,
    /// The role that logged in.
    pub role: String,
    /// Whether that role may make a slot.
    pub may_replicate: bool,
}

/// How far a standby is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandbyLag {
    /// What its primary has written and it has not replayed.
    pub bytes: u64,
    /// Whether somebody paused its replay.
    pub paused: bool,
}

/// How far a standby is behind its primary.
///
/// # Errors
/// Either server's, also where it is no standby.
pub async fn read_lag(standby: &Session, primary: &Session) -> Result<StandbyLag, Error> {
    let written = written(primary).await?;
    let (replayed, paused) = replay(standby).await?;
    Ok(StandbyLag { bytes: written.bytes_since(replayed), paused })
}

/// Reads what a server is as a standby.
async fn read_standby(session: &Session) -> Result<StandbyState, Error> {
    let row = session
        .query_one(
            "SELECT pg_catalog.pg_is_in_recovery(),
                    coalesce((SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver),
                             (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint())),
                    pg_catalog.current_setting('wal_level'),
                    pg_catalog.current_setting('hot_standby_feedback')::bool,
                    r.rolname::text,
                    r.rolreplication OR r.rolsuper
                        OR EXISTS (SELECT FROM pg_catalog.pg_roles g WHERE g.rolname = 'rds_replication'
                                      AND pg_catalog.pg_has_role(r.oid, g.oid, 'USAGE'))
               FROM pg_catalog.pg_roles r WHERE r.rolname = current_user",
            &[],
        )
        .await?;
    Ok(StandbyState {
        in_recovery: row.get(0),
        timeline: row.get(1),
        wal_level: row.get(2),
        feedback: row.get(3),
        role: row.get(4),
        may_replicate: row.get(5),
    })
}

/// Waits until a standby has replayed all that its primary has written by now; answers with that position.
///
/// The primary is asked for a record meanwhile: the end of its log may be a place that no record ends at.
///
/// # Errors
/// [`Error::StandbyBehind`] after `limit`; either server's, also where the standby is none any more.
pub async fn catch_up(
    standby: &Session,
    primary: &ConnectionUrl,
    session: &Session,
    limit: Duration,
) -> Result<Lsn, Error> {
    let wanted = written(session).await?;
    let deadline = Instant::now() + limit;
    let waiting = async {
        loop {
            let (replayed, paused) = replay(standby).await?;
            if replayed >= wanted {
                return Ok(wanted);
            }
            if Instant::now() >= deadline {
                return Err(Error::StandbyBehind { limit, bytes: wanted.bytes_since(replayed), paused });
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        reached = waiting => reached,
        never = running_transactions::tell(primary, session) => match never {},
    }
}

/// How far a primary has written.
async fn written(primary: &Session) -> Result<Lsn, Error> {
    parse(primary.query_one("SELECT pg_catalog.pg_current_wal_insert_lsn()::text", &[]).await?.get(0))
}

/// How far it has come in its primary's log, and whether somebody paused it.
async fn replay(standby: &Session) -> Result<(Lsn, bool), Error> {
    let row = standby
        .query_one(
            "SELECT coalesce(pg_catalog.pg_last_wal_replay_lsn(), '0/0')::text, pg_catalog.pg_is_wal_replay_paused()",
            &[],
        )
        .await?;
    Ok((parse(row.get(0))?, row.get(1)))
}

fn parse(lsn: String) -> Result<Lsn, Error> {
    lsn.parse().map_err(|_| Error::Shape { action: "asking for a position of the log".to_owned() })
}
