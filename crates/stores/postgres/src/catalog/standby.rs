//! What a physical standby says of itself.

use atalaya_data::Lsn;

use crate::{Error, Session};

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
    /// Whether the role that logged in may make a slot.
    pub may_replicate: bool,
}

/// Reads what a server is as a standby.
///
/// # Errors
/// The server's.
pub async fn read_standby(session: &Session) -> Result<StandbyState, Error> {
    let row = session
        .query_one(
            "SELECT pg_catalog.pg_is_in_recovery(),
                    coalesce((SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver),
                             (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint())),
                    pg_catalog.current_setting('wal_level'),
                    pg_catalog.current_setting('hot_standby_feedback')::bool,
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
        may_replicate: row.get(4),
    })
}

/// How far a standby has come in its primary's log, and whether somebody paused it.
///
/// # Errors
/// The server's, also where it is no standby any more.
pub async fn read_replay(session: &Session) -> Result<(Lsn, bool), Error> {
    let row = session
        .query_one(
            "SELECT coalesce(pg_catalog.pg_last_wal_replay_lsn(), '0/0')::text, pg_catalog.pg_is_wal_replay_paused()",
            &[],
        )
        .await?;
    let replayed: String = row.get(0);
    let replayed = replayed.parse().map_err(|_| Error::Shape { action: "asking how far replay is".to_owned() })?;
    Ok((replayed, row.get(1)))
}
