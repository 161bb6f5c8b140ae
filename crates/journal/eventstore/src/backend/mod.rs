//! What a database has to do for the journal. Everything that can be decided without one stands elsewhere.

mod audit;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::commit::Head;
use crate::subscription::{Checkpoint, CheckpointKey};
use crate::{Append, AppendId, Appended, Conflict, Error, Page, Position, Read, Snapshot, StreamName};

pub(crate) use audit::{Audit, Ends, StoredRow, Unreadable};
pub(crate) use postgres::Postgres;
pub(crate) use sqlite::Sqlite;

/// What each append of a group is answered.
pub(crate) type Answers = Vec<Result<Appended, Conflict>>;

/// One place where a journal is kept. All of it may be used from several tasks at once, and by several processes.
pub(crate) trait Backend: Audit + Send + Sync + 'static {
    /// Decides and writes appends in one durable transaction, under the head's lock; an answer for each. Called by the
    /// store's writer alone, one call at a time.
    fn commit(&self, appends: Arc<Vec<Append>>) -> BoxFuture<'_, Result<Answers, Error>>;

    /// One page of events that are committed. Never one behind a position that is not visible yet.
    fn read(&self, read: Read) -> BoxFuture<'_, Result<Page, Error>>;

    /// Where the journal ends.
    fn head(&self) -> BoxFuture<'_, Result<Head, Error>>;

    /// The database's clock, in microseconds since 1970 UTC.
    fn now_us(&self) -> BoxFuture<'_, Result<i64, Error>>;

    /// What an append was answered, if it was made.
    fn appended(&self, id: AppendId) -> BoxFuture<'_, Result<Option<Appended>, Error>>;

    /// The version of a stream's last event; 0 for none.
    fn version(&self, stream: StreamName) -> BoxFuture<'_, Result<u64, Error>>;

    /// Returns when the journal may have grown beyond a position, by whatever process, or after a while anyhow.
    fn grown(&self, beyond: Position) -> BoxFuture<'_, Result<(), Error>>;

    /// Where a subscriber was left, and whether the journal still has the event that stood there.
    fn checkpoint(&self, key: CheckpointKey) -> BoxFuture<'_, Result<Option<Checkpoint>, Error>>;

    /// Moves a subscriber on, if it still is where it was left; otherwise says where it is.
    fn move_checkpoint(
        &self,
        key: CheckpointKey,
        from: Position,
        to: Position,
    ) -> BoxFuture<'_, Result<Result<(), Position>, Error>>;

    /// The snapshot of a stream, unless the stream has not its event any more.
    fn snapshot(&self, stream: StreamName) -> BoxFuture<'_, Result<Option<Snapshot>, Error>>;

    /// Stores a snapshot in the place of an older one, or of one with another mark; false where its event is not there.
    fn save_snapshot(&self, snapshot: Snapshot) -> BoxFuture<'_, Result<bool, Error>>;

    /// Lets go of files and connections; waits until that is done.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// A number of ours as the databases have it: they know no unsigned ones.
pub(crate) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number as it was stored; negative ones were never.
pub(crate) fn unstored(number: i64, near: Position) -> Result<u64, Error> {
    u64::try_from(number).map_err(|_| Error::Damaged { position: near, seen: "a number is negative" })
}
