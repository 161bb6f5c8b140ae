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
        let what = "the replicator to hold";
        if request.is_in_time(target, FenceState::Holding, what, limit).await? {
            return Ok(request);
        }
        request.withdraw(target).await?;
        Err(Error::Timeout { what: format!("waiting for {what}"), limit })
    }

    /// Says where the fence lies and waits until the target holds exactly the commits before it: `limit` at most,
    /// and only while the replicator gets on within each `stall_limit`, however far behind it is.
    ///
    /// # Errors
    /// The server's; [`Error::Timeout`] when the replicator is not there in time.
    pub async fn place(
        &self,
        target: &mut Session,
        fence: Lsn,
        stall_limit: Duration,
        limit: Duration,
    ) -> Result<(), Error> {
        target
            .execute(
                "UPDATE atalaya.control SET lsn = ($2::text)::pg_lsn, state = 'placed' WHERE id = $1 AND state = 'holding'",
                &[&self.id, &fence.to_string()],
            )
            .await?;
        self.notify(target).await?;
        let what = "the replicator to reach the fence";
        let began = Instant::now();
        let mut applied = self.applied(target).await?;
        loop {
            let left = limit.saturating_sub(began.elapsed());
            if self.is_in_time(target, FenceState::Reached, what, stall_limit.min(left)).await? {
                return Ok(());
            }
            let now = self.applied(target).await?;
            if now == applied || left <= stall_limit {
                self.withdraw(target).await?;
                return Err(Error::Timeout { what: format!("waiting for {what}"), limit: began.elapsed() });
            }
            applied = now;
        }
    }

    /// The position that the target holds.
    async fn applied(&self, target: &Session) -> Result<Option<String>, Error> {
        let sql = "SELECT applied::text FROM atalaya.progress WHERE migration = $1 AND writer = 0";
        Ok(target.query_opt(sql, &[&self.migration]).await?.map(|row| row.get(0)))
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

    /// Waits for a state; false when it is not there within `limit`.
    async fn is_in_time(
        &self,
        target: &mut Session,
        wanted: FenceState,
        what: &str,
        limit: Duration,
    ) -> Result<bool, Error> {
        let deadline = Instant::now() + limit;
        loop {
            let row = target.query_one("SELECT state FROM atalaya.control WHERE id = $1", &[&self.id]).await?;
            match FenceState::parse(row.get(0)) {
                Some(state) if state == wanted => return Ok(true),
                Some(FenceState::Expired) => {
                    return Err(Error::Timeout { what: format!("waiting for {what}"), limit });
                }
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
                Err(_) => return Ok(false),
            }
        }
    }
}
