//! What a database has to do for proofs, for verification and for erasing: reads that believe nothing of what they read,
//! and the two writes that take something away.

use std::path::Path;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::chain::{Digest, Span};
use crate::commit::Head;
use crate::verify::Stored;
use crate::{Error, Position};

/// Where the journal begins and ends, in one snapshot.
#[derive(Debug)]
pub(crate) struct Ends {
    /// The head, or what is wrong with it.
    pub(crate) head: Result<Head, &'static str>,
    /// The lowest position of an event, if there is any.
    pub(crate) first: Option<i64>,
    /// The highest one.
    pub(crate) last: Option<i64>,
    /// How many appends there are.
    pub(crate) appends: u64,
}

/// An event's row, or where a row is that holds none.
pub(crate) type StoredRow = Result<Stored, Unreadable>;

/// A row that holds no event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unreadable {
    pub(crate) position: Position,
    pub(crate) seen: &'static str,
}

/// What proofs, verification and erasing need of a backend.
pub(crate) trait Audit: Send + Sync {
    /// The folder of its file, which no key may lie in; none where it is in a server.
    fn folder(&self) -> Option<&Path>;

    /// Which journal it is: random, made with it.
    fn identity(&self) -> BoxFuture<'_, Result<Uuid, Error>>;

    /// Where it begins and ends.
    fn ends(&self) -> BoxFuture<'_, Result<Ends, Error>>;

    /// Some of the events after a position and up to another one, in their order; none when there are no more.
    fn stored(&self, after: Position, up_to: Position) -> BoxFuture<'_, Result<Vec<StoredRow>, Error>>;

    /// Leaves, or roots of tiles; fewer where some are missing.
    fn digests(&self, span: Span) -> BoxFuture<'_, Result<Vec<Digest>, Error>>;

    /// The chain after an event; none where there is no such event.
    fn chain_at(&self, position: Position) -> BoxFuture<'_, Result<Option<Digest>, Error>>;

    /// Where the first append begins that no event belongs to.
    fn append_without_events(&self) -> BoxFuture<'_, Result<Option<i64>, Error>>;

    /// Removes the data of an event, and all snapshots, which may hold what was made of it; false where there is no such
    /// event.
    fn erase_data(&self, position: Position) -> BoxFuture<'_, Result<bool, Error>>;

    /// Removes all snapshots.
    fn remove_snapshots(&self) -> BoxFuture<'_, Result<(), Error>>;
}
