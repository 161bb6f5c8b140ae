//! What `status` shows of a following run.

use super::state::Follower;
use crate::Error;
use crate::progress::Store;
use crate::report::Event;

impl Follower<'_> {
    /// Renews the activity row and tells the observer.
    pub(crate) async fn report(&mut self) -> Result<(), Error> {
        let reached = self.reached();
        let lag_bytes = self.source_lsn.bytes_since(reached);
        let name = self.opened.plan.name.as_str();
        let row = self
            .opened
            .target
            .query_opt(
                "SELECT changes, transactions,
                        coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - committed_at), 0)::float8
                   FROM atalaya.progress WHERE migration = $1 AND writer = 0",
                &[&name],
            )
            .await?;
        let Some(row) = row else { return Err(Error::Broken("the migration's progress row is gone")) };
        let changes = u64::try_from(row.get::<_, i64>(0)).unwrap_or_default();
        // With nothing behind, the age of the last commit says how idle the source is, not how late we are.
        let lag_seconds = if lag_bytes == 0 { 0.0 } else { row.get::<_, f64>(2).max(0.0) };
        let held = self.reader.held();
        let report = serde_json::json!({
            "source_lsn": self.source_lsn.to_string(),
            "applied_lsn": reached.to_string(),
            "lag_bytes": lag_bytes,
            "lag_seconds": lag_seconds,
            "caught_up": self.caught_up,
            "open_transactions": held.transactions,
            "open_bytes": held.bytes,
            "sequences_age_seconds": self.sequences.age().map(|age| age.as_secs_f64()),
        });
        Store { session: self.opened.target, name }.write_activity(&report).await?;
        self.opened.observer.observe(&Event::Applied { lsn: reached, changes, lag_bytes, lag_seconds });
        Ok(())
    }
}
