//! The stream is ahead of the source's catalog: a commit is sent before others see it.

use std::time::Duration;

use atalaya_data::Lsn;
use atalaya_postgres::Session;
use tokio::time::Instant;

use super::state::Follower;
use crate::{Error, sequences};

/// How long a commit may take to be seen; a standby that it waits for may be away.
const SEEN_LIMIT: Duration = Duration::from_secs(30);
const SEEN_PAUSE: Duration = Duration::from_millis(20);

/// A position that is after all that the source's catalog shows by now. The transaction that made a change may be visible
/// before its end is on the disk; this one's end is after it, and makes an idle source tell its position.
pub(super) async fn position_after_seen(source: &Session) -> Result<Lsn, Error> {
    source.query("SELECT pg_catalog.pg_logical_emit_message(true, 'atalaya', 'look')", &[]).await?;
    sequences::current_lsn(source).await
}

impl Follower<'_> {
    /// Waits until the source's catalog shows what a transaction has done: its commit comes in the stream before others
    /// see it, a good while before where it waits for a standby.
    pub(super) async fn wait_until_seen(&mut self, xid: u32) -> Result<(), Error> {
        // The stream's number has lost its epoch; one that is ahead of every transaction that has ended is under way.
        let sql = "SELECT CASE WHEN back < 2147483648
                               THEN pg_catalog.pg_visible_in_snapshot((ended - back)::text::xid8, now) ELSE false END
                     FROM (SELECT now, ended, (ended - $1) & 4294967295 AS back
                             FROM (SELECT now, pg_catalog.pg_snapshot_xmax(now)::text::int8 AS ended
                                     FROM pg_catalog.pg_current_snapshot() AS now) AS s) AS s";
        let deadline = Instant::now() + SEEN_LIMIT;
        while self.announced.seen != Some(xid) {
            if self.opened.source.query_one(sql, &[&i64::from(xid)]).await?.get(0) {
                self.announced.seen = Some(xid);
            } else if Instant::now() >= deadline {
                return Err(Error::Interrupted(
                    "a statement's transaction is in the source's log, and nobody sees it yet",
                ));
            } else {
                tokio::time::sleep(SEEN_PAUSE).await;
            }
        }
        Ok(())
    }
}
