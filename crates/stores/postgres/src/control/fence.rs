//! The requester's half of a fence; the replicator's half is in `capabilities/replicate`.
//!
//! Nothing is polled: the requester listens before it asks, and wakes on the notification.

use std::time::Duration;

use atalaya_control::{FenceState, REPLICATOR_CHANNEL, REQUESTER_CHANNEL};
use atalaya_data::Lsn;
use tokio::time::Instant;

use crate::{Error, Session};

/// A fence that was asked for: the replicator holds until it is placed, reached and released.
#[derive(Debug)]
pub struct FenceRequest {
    id: i64,
    migration: String,
}

impl FenceRequest {
    /// Asks the migration's replicator to hold, and waits until it does. From then on each step of the
    /// requester has `lease` before the replicator goes on without it.
    ///
    /// # Errors
    /// The server's; [`Error::Timeout`] when no replicator answers within `limit`.
    pub async fn hold(target: &mut Session, migration: &str, lease: Duration, limit: Duration) -> Result<Self, Error> {
        target.batch(&format!("LISTEN {REQUESTER_CHANNEL}")).await?;
        let row = target
            .query_one(
                "INSERT INTO atalaya.control (migration, kind, lease) VALUES ($1, 'fence', make_interval(secs => $2))
                 RETURNING id",
                &[&migration, &lease.as_secs_f64()],
            )
            .await?;
        let request = Self { id: row.get(0), migration: migration.to_owned() };
        request.notify(target).await?;
        request.wait_for(target, FenceState::Holding, "the replicator to hold", limit).await?;
        Ok(request)
    }

    /// Says where the fence lies and waits until the target holds exactly the commits before it.
    ///
    /// # Errors
    /// The server's; [`Error::Timeout`] when the replicator is not there within `limit`.
    pub async fn place(&self, target: &mut Session, fence: Lsn, limit: Duration) -> Result<(), Error> {
        target
            .execute(
                "UPDATE atalaya.control SET lsn = ($2::text)::pg_lsn, state = 'placed' WHERE id = $1 AND state = 'holding'",
                &[&self.id, &fence.to_string()],
            )
            .await?;
        self.notify(target).await?;
        self.wait_for(target, FenceState::Reached, "the replicator to reach the fence", limit).await
    }

    /// Lets the replicator go on. The answer says whether the fence still held: when its lease had ended, a
    /// snapshot opened meanwhile may be past the fence and must not be used.
    ///
    /// # Errors
    /// The server's.
    pub async fn release(self, target: &Session) -> Result<bool, Error> {
        let held = target
            .execute("UPDATE atalaya.control SET state = 'released' WHERE id = $1 AND state = 'reached'", &[&self.id])
            .await?;
        self.notify(target).await?;
        Ok(held == 1)
    }

    /// Takes the request back, wherever it stands, so that the replicator goes on at once.
    ///
    /// # Errors
    /// The server's.
    pub async fn withdraw(&self, target: &Session) -> Result<(), Error> {
        target
            .execute("UPDATE atalaya.control SET state = 'expired' WHERE id = $1 AND state <> 'released'", &[&self.id])
            .await?;
        self.notify(target).await
    }

    async fn notify(&self, target: &Session) -> Result<(), Error> {
        target.query("SELECT pg_catalog.pg_notify($1, $2)", &[&REPLICATOR_CHANNEL, &self.migration]).await.map(|_| ())
    }

    async fn wait_for(
        &self,
        target: &mut Session,
        wanted: FenceState,
        what: &str,
        limit: Duration,
    ) -> Result<(), Error> {
        let deadline = Instant::now() + limit;
        let timeout = || Error::Timeout { what: format!("waiting for {what}"), limit };
        loop {
            let row = target.query_one("SELECT state FROM atalaya.control WHERE id = $1", &[&self.id]).await?;
            match FenceState::parse(row.get(0)) {
                Some(state) if state == wanted => return Ok(()),
                Some(FenceState::Expired) => return Err(timeout()),
                Some(_) => {}
                None => {
                    return Err(Error::Shape { action: "reading a fence's state".to_owned() });
                }
            }
            match tokio::time::timeout_at(deadline, target.next_notification()).await {
                Ok(Some(_)) => {}
                Ok(None) => {
                    return Err(Error::Shape { action: "waiting for the replicator".to_owned() });
                }
                Err(_) => {
                    self.withdraw(target).await?;
                    return Err(timeout());
                }
            }
        }
    }
}
