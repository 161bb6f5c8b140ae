//! The requester's half of a fence; the replicator's half is in `capabilities/replicate`.
//!
//! Nothing is polled: the requester listens before it asks, and wakes on the notification.

use std::time::Duration;

use atalaya_control::{FenceState, REPLICATOR_CHANNEL, REQUESTER_CHANNEL};
use atalaya_data::Lsn;

use crate::{Error, Session};

/// A fence that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FenceRequest {
    /// The row in `atalaya.control`.
    pub id: i64,
    /// How far it has come.
    pub state: FenceState,
}

/// Asks the migration's replicator to apply exactly the commits before `fence` and to hold; waits until it
/// does. The caller has `lease` from then on to open its snapshot and call [`release_fence`].
///
/// # Errors
/// The server's; [`Error::Timeout`] when the replicator does not get there within `limit`.
pub async fn request_fence(
    target: &mut Session,
    migration: &str,
    fence: Lsn,
    lease: Duration,
    limit: Duration,
) -> Result<FenceRequest, Error> {
    target.batch(&format!("LISTEN {REQUESTER_CHANNEL}")).await?;
    let lease_seconds = lease.as_secs_f64();
    let row = target
        .query_one(
            "INSERT INTO atalaya.control (migration, kind, lsn, lease)
             VALUES ($1, 'fence', ($2::text)::pg_lsn, make_interval(secs => $3)) RETURNING id",
            &[&migration, &fence.to_string(), &lease_seconds],
        )
        .await?;
    let id: i64 = row.get(0);
    target
        .query(
            "SELECT pg_catalog.pg_notify($1, $2)",
            &[&REPLICATOR_CHANNEL, &migration],
        )
        .await?;
    let timeout = || Error::Timeout {
        what: format!("the replicator's way to the fence {fence}"),
        limit,
    };
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        let state: String = target
            .query_one("SELECT state FROM atalaya.control WHERE id = $1", &[&id])
            .await?
            .get(0);
        match FenceState::parse(&state) {
            Some(FenceState::Requested) => {}
            Some(state) => return Ok(FenceRequest { id, state }),
            None => {
                return Err(Error::Shape {
                    action: "reading a fence's state".to_owned(),
                });
            }
        }
        match tokio::time::timeout_at(deadline, target.next_notification()).await {
            Ok(Some(_)) => {}
            Ok(None) => {
                return Err(Error::Shape {
                    action: "waiting for the replicator".to_owned(),
                });
            }
            Err(_) => {
                target
                    .execute(
                        "UPDATE atalaya.control SET state = 'expired' WHERE id = $1",
                        &[&id],
                    )
                    .await?;
                target
                    .query(
                        "SELECT pg_catalog.pg_notify($1, $2)",
                        &[&REPLICATOR_CHANNEL, &migration],
                    )
                    .await?;
                return Err(timeout());
            }
        }
    }
}

/// Lets the replicator go on. The answer says whether the fence still held: when its lease had ended, a
/// snapshot opened meanwhile may be past the fence and must not be used.
///
/// # Errors
/// The server's.
pub async fn release_fence(
    target: &Session,
    migration: &str,
    request: FenceRequest,
) -> Result<bool, Error> {
    let held = target
        .execute(
            "UPDATE atalaya.control SET state = 'released' WHERE id = $1 AND state = 'reached'",
            &[&request.id],
        )
        .await?;
    target
        .query(
            "SELECT pg_catalog.pg_notify($1, $2)",
            &[&REPLICATOR_CHANNEL, &migration],
        )
        .await?;
    Ok(held == 1)
}
