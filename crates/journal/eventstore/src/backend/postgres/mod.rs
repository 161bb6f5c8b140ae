//! The journal in a database of Postgres, for any number of machines.
//!
//! Whoever appends locks one row and then reads and writes under READ COMMITTED, where each statement sees what was
//! committed before it: so positions have the order of commits, without a gap, and a reader's snapshot that has one has
//! all before it. Sequences have neither property. A connection that is lost is made anew within a limit, and what was
//! to be committed is committed again under its identity, which does nothing where it had been.

mod audit;
mod checkpoint;
mod connection;
mod failure;
mod insert;
mod listen;
mod pool;
mod read;
mod row;
mod schema;
mod snapshot;
mod write;

use std::path::Path;
use std::sync::Arc;

use atalaya_estate::ConnectionUrl;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::{Answers, Audit, Backend, Ends, StoredRow};
use crate::chain::{Digest, Span};
use crate::commit::Head;
use crate::subscription::{Checkpoint, CheckpointKey};
use crate::{Append, AppendId, Appended, Error, Options, Page, Position, Read, Snapshot, StreamName};

use connection::{Connection, Purpose};
use listen::Listener;
use pool::Pool;
use write::Writer;

pub(crate) use failure::{failed, held};

/// A journal in a database.
pub(crate) struct Postgres {
    writer: Writer,
    pool: Pool,
    listener: Listener,
}

impl Postgres {
    /// Opens a journal, and makes it where there is none.
    pub(crate) async fn open(url: &ConnectionUrl, options: &Options) -> Result<Self, Error> {
        let connection = Connection::open(url, Purpose::Write, options.lock_limit).await?;
        schema::ensure(&connection.session).await?;
        Ok(Self {
            writer: Writer::new(url.clone(), connection, options),
            pool: Pool::new(url.clone(), options.readers, options.lock_limit, options.reconnect_limit),
            listener: Listener::new(url.clone(), options.lock_limit),
        })
    }
}

impl Backend for Postgres {
    fn commit(&self, appends: Arc<Vec<Append>>) -> BoxFuture<'_, Result<Answers, Error>> {
        async move {
            let (answers, end) = self.writer.commit(&appends).await?;
            self.listener.publish(end);
            Ok(answers)
        }
        .boxed()
    }

    fn read(&self, read: Read) -> BoxFuture<'_, Result<Page, Error>> {
        pooled(&self.pool, "reading events", move |connection| {
            let read = read.clone();
            async move { read::page(connection, &read).await }.boxed()
        })
    }

    fn head(&self) -> BoxFuture<'_, Result<Head, Error>> {
        pooled(&self.pool, "reading its end", |connection| read::head(connection).boxed())
    }

    fn now_us(&self) -> BoxFuture<'_, Result<i64, Error>> {
        pooled(&self.pool, "reading its clock", |connection| read::now_us(connection).boxed())
    }

    fn appended(&self, id: AppendId) -> BoxFuture<'_, Result<Option<Appended>, Error>> {
        pooled(&self.pool, "reading appends", move |connection| write::appended(connection, id).boxed())
    }

    fn version(&self, stream: StreamName) -> BoxFuture<'_, Result<u64, Error>> {
        pooled(&self.pool, "reading events", move |connection| {
            let stream = stream.clone();
            async move { read::version(connection, &stream).await }.boxed()
        })
    }

    fn grown(&self, beyond: Position) -> BoxFuture<'_, Result<(), Error>> {
        self.listener.grown(beyond).boxed()
    }

    fn checkpoint(&self, key: CheckpointKey) -> BoxFuture<'_, Result<Option<Checkpoint>, Error>> {
        pooled(&self.pool, "reading a checkpoint", move |connection| {
            let key = key.clone();
            async move { checkpoint::load(connection, &key).await }.boxed()
        })
    }

    fn move_checkpoint(
        &self,
        key: CheckpointKey,
        from: Position,
        to: Position,
    ) -> BoxFuture<'_, Result<Result<(), Position>, Error>> {
        pooled(&self.pool, "storing a checkpoint", move |connection| {
            let key = key.clone();
            async move { checkpoint::advance(connection, &key, from, to).await }.boxed()
        })
    }

    fn snapshot(&self, stream: StreamName) -> BoxFuture<'_, Result<Option<Snapshot>, Error>> {
        pooled(&self.pool, "reading a snapshot", move |connection| {
            let stream = stream.clone();
            async move { snapshot::load(connection, &stream).await }.boxed()
        })
    }

    fn save_snapshot(&self, snapshot: Snapshot) -> BoxFuture<'_, Result<bool, Error>> {
        pooled(&self.pool, "storing a snapshot", move |connection| {
            let snapshot = snapshot.clone();
            async move { snapshot::save(connection, &snapshot).await }.boxed()
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async move {
            self.listener.stop();
            self.pool.close();
            self.writer.close().await;
        }
        .boxed()
    }
}

impl Audit for Postgres {
    fn folder(&self) -> Option<&Path> {
        None
    }

    fn identity(&self) -> BoxFuture<'_, Result<Uuid, Error>> {
        pooled(&self.pool, "reading which it is", |connection| audit::identity(connection).boxed())
    }

    fn ends(&self) -> BoxFuture<'_, Result<Ends, Error>> {
        pooled(&self.pool, "reading its end", |connection| audit::ends(connection).boxed())
    }

    fn stored(&self, after: Position, up_to: Position) -> BoxFuture<'_, Result<Vec<StoredRow>, Error>> {
        pooled(&self.pool, "reading events", move |connection| audit::page(connection, after, up_to).boxed())
    }

    fn digests(&self, span: Span) -> BoxFuture<'_, Result<Vec<Digest>, Error>> {
        pooled(&self.pool, "reading digests", move |connection| audit::digests(connection, span).boxed())
    }

    fn chain_at(&self, position: Position) -> BoxFuture<'_, Result<Option<Digest>, Error>> {
        pooled(&self.pool, "reading digests", move |connection| audit::chain_at(connection, position).boxed())
    }

    fn append_without_events(&self) -> BoxFuture<'_, Result<Option<i64>, Error>> {
        pooled(&self.pool, "reading appends", |connection| audit::append_without_events(connection).boxed())
    }

    fn erase_data(&self, position: Position) -> BoxFuture<'_, Result<bool, Error>> {
        pooled(&self.pool, "erasing data", move |connection| audit::erase_data(connection, position).boxed())
    }

    fn remove_snapshots(&self) -> BoxFuture<'_, Result<(), Error>> {
        pooled(&self.pool, "removing snapshots", |connection| audit::remove_snapshots(connection).boxed())
    }
}

fn pooled<'a, T: Send + 'a>(
    pool: &'a Pool,
    action: &'static str,
    work: impl for<'s> Fn(&'s mut Connection) -> BoxFuture<'s, Result<T, Error>> + Send + Sync + 'a,
) -> BoxFuture<'a, Result<T, Error>> {
    async move { pool.run(action, work).await }.boxed()
}
