//! The requester's half of a marker: has a replicator applied everything up to a position, and did anybody else write?
//!
//! Whoever leads clients from one server to the other shuts the one they leave, reads its position, and then writes a
//! marker to its log. What the replicator tells of the time between both is whether the door was shut. Nothing is
//! polled: the requester listens before it asks, and wakes on the notification.

use std::time::Duration;

use atalaya_control::{FenceState, REPLICATOR_CHANNEL, REQUESTER_CHANNEL};
use atalaya_data::Lsn;
use tokio::time::Instant;

use crate::{Error, Session};

/// A marker that everything was applied up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkerPassed {
    /// Transactions that changed a published table between the two positions, and were none of a move's own.
    pub foreign: u64,
}

/// What became of a marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkerAnswer {
    /// Everything before it is applied.
    Passed(MarkerPassed),
    /// The replicator cannot tell, and why; it may have begun anew in between.
    Unknown(String),
}

/// Waits until the replicator that writes to this server has applied all that was committed before `marker`, and hears
/// whether anybody has committed a change of a published table from `fenced_at` on. Both are positions of the server
/// that is read.
///
/// # Errors
/// The server's; [`Error::Timeout`] when no replicator is there in time.
pub async fn pass_marker(
    target: &mut Session,
    migration: &str,
    fenced_at: Lsn,
    marker: Lsn,
    limit: Duration,
) -> Result<MarkerAnswer, Error> {
    const ASK: &str = "WITH asked AS (
            INSERT INTO atalaya.control (migration, kind, fenced_at, lsn)
            VALUES ($1, 'marker', ($2::text)::pg_lsn, ($3::text)::pg_lsn) RETURNING id)
        SELECT id, pg_catalog.pg_notify($4, $1) FROM asked";
    let deadline = Instant::now() + limit;
    target.batch(&format!("LISTEN {REQUESTER_CHANNEL}")).await?;
    let (fenced_at, marker) = (fenced_at.to_string(), marker.to_string());
    let row = target.query_one(ASK, &[&migration, &fenced_at, &marker, &REPLICATOR_CHANNEL]).await?;
    let id: i64 = row.get(0);
    loop {
        let row = target.query_one("SELECT state, outcome FROM atalaya.control WHERE id = $1", &[&id]).await?;
        let outcome: String = row.get::<_, Option<String>>(1).unwrap_or_default();
        match FenceState::parse(row.get(0)) {
            Some(FenceState::Released) => {
                let shape = |_| Error::Shape { action: "reading what a marker came to".to_owned() };
                return Ok(MarkerAnswer::Passed(MarkerPassed { foreign: outcome.parse().map_err(shape)? }));
            }
            Some(FenceState::Expired) => return Ok(MarkerAnswer::Unknown(outcome)),
            _ => {}
        }
        if !matches!(tokio::time::timeout_at(deadline, target.next_notification()).await, Ok(Some(_))) {
            break;
        }
    }
    target
        .execute("UPDATE atalaya.control SET state = 'expired' WHERE id = $1 AND state <> 'released'", &[&id])
        .await?;
    target.query("SELECT pg_catalog.pg_notify($1, $2)", &[&REPLICATOR_CHANNEL, &migration]).await?;
    Err(Error::Timeout { what: "waiting for the replicator to apply everything up to a marker".to_owned(), limit })
}
