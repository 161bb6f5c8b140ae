//! What the source is told: never more than the target has stored and flushed.

use atalaya_data::{Lsn, quote_literal};
use atalaya_postgres::Session;

use super::state::Follower;
use crate::Error;
use crate::progress::Store;

/// Positions on their way from stored to acknowledged.
pub(crate) struct Acknowledger {
    /// Stored by a commit that has not been seen on the target's disk: the source's position, the target's.
    pending: Option<(Lsn, Lsn)>,
    acknowledged: Lsn,
    synchronous: bool,
}

impl Acknowledger {
    pub(crate) fn new(start: Lsn, synchronous: bool) -> Self {
        Self { pending: None, acknowledged: start, synchronous }
    }

    /// What is stored and on the target's disk.
    pub(crate) fn acknowledged(&self) -> Lsn {
        self.acknowledged
    }

    /// Whether everything stored is acknowledged.
    pub(crate) fn is_done(&self, applied: Lsn) -> bool {
        self.acknowledged >= applied
    }

    /// The position that may be acknowledged now, given what is stored; asks the target for its log's
    /// positions where commits do not wait for its disk.
    pub(crate) async fn advance(&mut self, target: &Session, applied: Lsn) -> Result<Option<Lsn>, Error> {
        if self.is_done(applied) {
            return Ok(None);
        }
        if self.synchronous {
            self.acknowledged = applied;
            return Ok(Some(applied));
        }
        let row = target
            .query_one(
                "SELECT pg_catalog.pg_current_wal_flush_lsn()::text, pg_catalog.pg_current_wal_insert_lsn()::text",
                &[],
            )
            .await?;
        let lsn = |text: String| text.parse::<Lsn>().map_err(|_| Error::Broken("the target's position cannot be read"));
        let (flushed, inserted) = (lsn(row.get(0))?, lsn(row.get(1))?);
        let ready = self.pending.filter(|(_, needed)| flushed >= *needed);
        if let Some((position, _)) = ready {
            self.acknowledged = position;
            self.pending = None;
        }
        if self.pending.is_none() && applied > self.acknowledged {
            // The commit that stored `applied` is somewhere before the log's present end.
            self.pending = Some((applied, inserted));
        }
        Ok(ready.map(|(position, _)| position))
    }
}

impl Follower<'_> {
    /// Acknowledges what can be, and stores an idle position so that it can be next time.
    pub(crate) async fn on_tick(&mut self) -> Result<(), Error> {
        self.store_idle_when_due().await?;
        if let Some(position) = self.acknowledger.advance(self.opened.target, self.applied).await? {
            self.reader.acknowledge(position);
            self.opened.plan.options.failpoints.reach("acknowledged");
        }
        self.remove_spent_spool(self.acknowledger.acknowledged()).await
    }

    /// Removes the spool once everything that it held is applied and on the target's disk.
    async fn remove_spent_spool(&mut self, applied: Lsn) -> Result<(), Error> {
        let Some(spool) = self.spool.take_if(|spool| spool.is_spent(applied)) else { return Ok(()) };
        let store = Store { session: self.opened.target, name: &self.opened.plan.name };
        spool.remove(&store).await
    }

    /// Acknowledges everything stored, before the run ends.
    pub(crate) async fn acknowledge_all(&mut self) -> Result<(), Error> {
        self.store_idle().await?;
        // A commit that waits for the disk takes the ones before it along.
        self.opened
            .target
            .batch(&format!(
                "BEGIN; SET LOCAL synchronous_commit = on;
                 UPDATE atalaya.migration SET phase = phase WHERE name = {}; COMMIT",
                quote_literal(&self.opened.plan.name)
            ))
            .await?;
        self.reader.acknowledge(self.applied);
        self.opened.plan.options.failpoints.reach("acknowledged");
        self.remove_spent_spool(self.applied).await
    }
}
