//! What a database has to do for the journal. Everything that can be decided without one stands elsewhere.

use futures_util::future::BoxFuture;

use crate::commit::Head;
use crate::{Append, Appended, Conflict, Error, Event, Position, Read, StreamName};

/// One place where a journal is kept. All of it may be used from several tasks at once, and by several processes.
pub(crate) trait Backend: Send + Sync + 'static {
    /// Decides and writes appends in one durable transaction, under the head's lock; an answer for each. Called by the
    /// store's writer alone, one call at a time.
    fn commit<'a>(&'a self, appends: &'a [Append]) -> BoxFuture<'a, Result<Vec<Result<Appended, Conflict>>, Error>>;

    /// One page of events that are committed. Never one behind a position that is not visible yet.
    fn read<'a>(&'a self, read: &'a Read) -> BoxFuture<'a, Result<Vec<Event>, Error>>;

    /// Where the journal ends.
    fn head(&self) -> BoxFuture<'_, Result<Head, Error>>;

    /// The version of a stream's last event; 0 for none.
    fn version<'a>(&'a self, stream: &'a StreamName) -> BoxFuture<'a, Result<u64, Error>>;

    /// Returns when the journal may have grown beyond a position, by whatever process, or after a while anyhow.
    fn grown(&self, beyond: Position) -> BoxFuture<'_, Result<(), Error>>;
}
