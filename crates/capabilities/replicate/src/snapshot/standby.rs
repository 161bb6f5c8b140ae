//! Taking a snapshot on a physical standby whose position the source's own slot covers.
//!
//! A standby's vacuum is its primary's: what is replayed may remove rows that a snapshot still has to show. A session
//! that holds one knows it, and is ended by the standby, but the slot comes to its position before anybody holds its
//! snapshot. So a guard holds an older one from before the slot until the slot's is taken over: while it lives, nothing
//! was removed that the later one shows, with and without `hot_standby_feedback`. Nor was a page declared visible to all
//! that holds rows which it does not show: a scan believes that of a slot's snapshot, which does not know that it is on a
//! standby, and replaying the declaration ends older snapshots just as replaying a vacuum does.

use std::time::Duration;

use atalaya_data::Lsn;
use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_postgres::fence_slot::FenceSlot;

use super::reading::reach;
use crate::Error;

/// How often a standby's own cleaning up may come in between.
const TRIES: u32 = 3;

/// A snapshot that is held on a standby.
pub(super) struct Taken {
    pub(super) session: Session,
    pub(super) lsn: Lsn,
}

/// Opens a transaction on the standby in a snapshot of `after` or later.
pub(super) async fn take(
    standby: &ConnectionUrl,
    primary: &ConnectionUrl,
    source: &Session,
    holder: &str,
    after: Lsn,
    limit: Duration,
) -> Result<Taken, Error> {
    let mut attempt = 1;
    loop {
        match take_once(standby, primary, source, holder, after, limit).await {
            Err(error) if error.is_transient() && attempt < TRIES => attempt += 1,
            taken => return taken,
        }
    }
}

async fn take_once(
    standby: &ConnectionUrl,
    primary: &ConnectionUrl,
    source: &Session,
    holder: &str,
    after: Lsn,
    limit: Duration,
) -> Result<Taken, Error> {
    let guard = Session::connect(standby, holder).await?;
    // What was made on the source for this snapshot, publications and its own slot, must be before it.
    let after = after.max(reach(&guard, primary, source, limit).await?);
    guard.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1").await?;
    let slot = FenceSlot::open_on_standby(standby, primary, source, limit).await?;
    let lsn = slot.consistent_point();
    if lsn < after {
        return Err(Error::Broken("the standby's snapshot is from before the source's slot"));
    }
    let session = Session::connect(standby, holder).await?;
    session.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    session.batch(&format!("SET TRANSACTION SNAPSHOT '{}'", slot.snapshot())).await?;
    // Now that the snapshot is held: a guard that was ended meanwhile says so here.
    guard.batch("SELECT 1").await?;
    Ok(Taken { session, lsn })
}
