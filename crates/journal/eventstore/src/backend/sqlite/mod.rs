//! The journal in a file of SQLite, for one machine and any number of processes.
//!
//! One connection writes, on a thread of its own, and takes the write lock before it reads anything (`BEGIN
//! IMMEDIATE`): a transaction that began as a reader could not become a writer beside another one. Readers never wait
//! for it (WAL). A caller never sees that the file is busy; waiting ends at the limit of the options.

mod audit;
mod checkpoint;
mod connection;
mod failure;
mod file;
mod read;
mod row;
mod schema;
mod snapshot;
mod watch;
mod workers;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::{Answers, Audit, Backend, Ends, StoredRow};
use crate::chain::{Digest, Span};
use crate::commit::Head;
use crate::subscription::{Checkpoint, CheckpointKey};
use crate::{Append, AppendId, Appended, Error, Options, Page, Position, Read, Snapshot, StreamName};

pub(crate) use connection::open as open_connection;
pub(crate) use failure::{failed, held};
pub(crate) use file::prepare as prepare_file;
use watch::Watch;
pub(crate) use workers::Workers;

/// A journal in a file.
pub(crate) struct Sqlite {
    path: PathBuf,
    writer: Workers,
    readers: Workers,
    watch: Watch,
    lock_limit: Duration,
    /// Which file it was when it was opened: device and number.
    file: (u64, u64),
}

impl Sqlite {
    /// Opens a journal, and makes it where there is none.
    pub(crate) async fn open(path: &Path, options: &Options) -> Result<Self, Error> {
        let (path, lock_limit, readers) = (path.to_owned(), options.lock_limit, options.readers);
        let opening = move || {
            file::prepare(&path)?;
            let writer = connection::open(&path, lock_limit)?;
            schema::ensure(&writer, lock_limit)?;
            let mut reading = Vec::new();
            for _ in 0..readers.max(1) {
                reading.push(connection::open_to_read(&path, lock_limit)?);
            }
            let watching = connection::open_to_read(&path, lock_limit)?;
            Ok(Self {
                file: file::which(&path)?,
                path,
                writer: Workers::start("journal writer", vec![writer])?,
                readers: Workers::start("journal reader", reading)?,
                watch: Watch::start(watching)?,
                lock_limit,
            })
        };
        tokio::task::spawn_blocking(opening).await.map_err(|_| Error::Closed)?
    }
}

impl Backend for Sqlite {
    fn commit(&self, appends: Arc<Vec<Append>>) -> BoxFuture<'_, Result<Answers, Error>> {
        let limit = self.lock_limit;
        async move {
            // What is written to a file that somebody has removed is gone with the last process that has it open.
            if file::which(&self.path).ok() != Some(self.file) {
                return Err(Error::Unsuitable { reason: "its file was removed or replaced while it was open" });
            }
            let (answers, end) = self.writer.run(move |connection| write::commit(connection, &appends, limit)).await?;
            self.watch.publish(end);
            Ok(answers)
        }
        .boxed()
    }

    fn read(&self, read: Read) -> BoxFuture<'_, Result<Page, Error>> {
        self.readers.run(move |connection| read::page(connection, &read)).boxed()
    }

    fn head(&self) -> BoxFuture<'_, Result<Head, Error>> {
        self.readers.run(|connection| read::head(connection)).boxed()
    }

    fn now_us(&self) -> BoxFuture<'_, Result<i64, Error>> {
        std::future::ready(Ok(write::now_us())).boxed()
    }

    fn appended(&self, id: AppendId) -> BoxFuture<'_, Result<Option<Appended>, Error>> {
        self.readers.run(move |connection| write::appended(connection, id)).boxed()
    }

    fn version(&self, stream: StreamName) -> BoxFuture<'_, Result<u64, Error>> {
        self.readers.run(move |connection| read::version(connection, &stream)).boxed()
    }

    fn grown(&self, beyond: Position) -> BoxFuture<'_, Result<(), Error>> {
        self.watch.grown(beyond).boxed()
    }

    fn checkpoint(&self, key: CheckpointKey) -> BoxFuture<'_, Result<Option<Checkpoint>, Error>> {
        self.readers.run(move |connection| checkpoint::load(connection, &key)).boxed()
    }

    fn move_checkpoint(
        &self,
        key: CheckpointKey,
        from: Position,
        to: Position,
    ) -> BoxFuture<'_, Result<Result<(), Position>, Error>> {
        let limit = self.lock_limit;
        self.writer.run(move |connection| checkpoint::advance(connection, &key, (from, to), limit)).boxed()
    }

    fn snapshot(&self, stream: StreamName) -> BoxFuture<'_, Result<Option<Snapshot>, Error>> {
        self.readers.run(move |connection| snapshot::load(connection, &stream)).boxed()
    }

    fn save_snapshot(&self, snapshot: Snapshot) -> BoxFuture<'_, Result<bool, Error>> {
        let limit = self.lock_limit;
        self.writer.run(move |connection| snapshot::save(connection, &snapshot, limit)).boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async move {
            self.watch.stop().await;
            self.readers.stop().await;
            // Last, so that it empties the log into the file and removes it.
            self.writer.stop().await;
        }
        .boxed()
    }
}

impl Audit for Sqlite {
    fn folder(&self) -> Option<&Path> {
        self.path.parent()
    }

    fn identity(&self) -> BoxFuture<'_, Result<Uuid, Error>> {
        self.readers.run(|connection| audit::identity(connection)).boxed()
    }

    fn ends(&self) -> BoxFuture<'_, Result<Ends, Error>> {
        self.readers.run(audit::ends).boxed()
    }

    fn stored(&self, after: Position, up_to: Position) -> BoxFuture<'_, Result<Vec<StoredRow>, Error>> {
        self.readers.run(move |connection| audit::page(connection, after, up_to)).boxed()
    }

    fn digests(&self, span: Span) -> BoxFuture<'_, Result<Vec<Digest>, Error>> {
        self.readers.run(move |connection| audit::digests(connection, span)).boxed()
    }

    fn chain_at(&self, position: Position) -> BoxFuture<'_, Result<Option<Digest>, Error>> {
        self.readers.run(move |connection| audit::chain_at(connection, position)).boxed()
    }

    fn append_without_events(&self) -> BoxFuture<'_, Result<Option<i64>, Error>> {
        self.readers.run(|connection| audit::append_without_events(connection)).boxed()
    }

    fn erase_data(&self, position: Position) -> BoxFuture<'_, Result<bool, Error>> {
        let limit = self.lock_limit;
        self.writer.run(move |connection| audit::erase_data(connection, position, limit)).boxed()
    }

    fn remove_snapshots(&self) -> BoxFuture<'_, Result<(), Error>> {
        let limit = self.lock_limit;
        self.writer.run(move |connection| audit::remove_snapshots(connection, limit)).boxed()
    }
}
