//! The handle of a journal.

use std::path::Path;
use std::sync::Arc;

use atalaya_estate::ConnectionUrl;

use crate::backend::{Backend, Postgres, Sqlite};
use crate::writer::Writer;
use crate::{
    Append, AppendId, Appended, Digest, Error, Options, Page, Pages, Place, Position, Read, Snapshot, StreamName,
    Subscribe, Subscription, Upcasters,
};

/// A journal. Cheap to clone; all clones share one writer, which ends with the last of them.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    writer: Arc<Writer>,
}

/// What readers need of a journal.
pub(crate) struct Inner {
    pub(crate) backend: Arc<dyn Backend>,
    upcasters: Upcasters,
}

impl Inner {
    /// One page, brought up to date.
    pub(crate) async fn page(&self, read: Read) -> Result<Page, Error> {
        let page = self.backend.read(read.bounded()?).await?;
        let events = page.events.into_iter().map(|event| self.upcasters.apply(event)).collect::<Result<_, _>>()?;
        Ok(Page { events, next: page.next })
    }
}

impl Store {
    /// Opens the journal of a place, and makes it where there is none.
    ///
    /// # Errors
    /// As [`Store::open_sqlite`] and [`Store::open_postgres`].
    pub async fn open(place: &Place, options: Options) -> Result<Self, Error> {
        match place {
            Place::Folder(folder) => Self::open_sqlite(&folder.join("journal.db"), options).await,
            Place::Postgres(url) => Self::open_postgres(url, options).await,
        }
    }

    /// Opens the journal in a file of SQLite, and makes it where there is none: readable by its owner alone, in a folder
    /// that is made too. Any number of processes of this machine may have it open.
    ///
    /// # Errors
    /// When the file is no journal, is of a later version, or lies where no journal can be kept safely.
    pub async fn open_sqlite(path: &Path, options: Options) -> Result<Self, Error> {
        let backend = Sqlite::open(path, &options).await?;
        Ok(Self::over(Arc::new(backend), &options))
    }

    /// Opens the journal in a database of Postgres, in the schema `atalaya_journal`, and makes it where there is none.
    ///
    /// # Errors
    /// When there is no connection, the role may not make the schema, or a later version wrote it.
    pub async fn open_postgres(url: &ConnectionUrl, options: Options) -> Result<Self, Error> {
        let backend = Postgres::open(url, &options).await?;
        Ok(Self::over(Arc::new(backend), &options))
    }

    /// What proofs, verification and erasing work on.
    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.inner.backend
    }

    fn over(backend: Arc<dyn Backend>, options: &Options) -> Self {
        let writer = Arc::new(Writer::start(backend.clone(), options));
        Self { inner: Arc::new(Inner { backend, upcasters: options.upcasters.clone() }), writer }
    }

    /// Appends all of it or nothing, and returns once it is durable. The same append again, by its identity, gives the
    /// first answer, also after a restart.
    ///
    /// # Errors
    /// [`Error::Conflict`] when it cannot be made as things are; anything else says that the store is not well.
    /// [`Error::Unknown`] alone leaves open whether it was made.
    pub async fn append(&self, append: Append) -> Result<Appended, Error> {
        self.writer.append(append).await
    }

    /// What the append of this identity was answered, with [`Appended::repeated`] set; none where it was not made.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn appended(&self, id: AppendId) -> Result<Option<Appended>, Error> {
        let made = self.inner.backend.appended(id).await?;
        Ok(made.map(|answer| Appended { repeated: true, ..answer }))
    }

    /// One page of committed events. A reader that goes on after the last position it saw misses none.
    ///
    /// # Errors
    /// When the store does not answer, or an event cannot be read or brought up to date.
    pub async fn read(&self, read: Read) -> Result<Page, Error> {
        self.inner.page(read).await
    }

    /// Everything from where the read begins, in pages of its limit, one of them read ahead.
    #[must_use]
    pub fn pages(&self, read: Read) -> Pages {
        Pages::new(self.inner.clone(), read)
    }

    /// The last event's position.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn head(&self) -> Result<Position, Error> {
        self.inner.backend.head().await.map(|head| head.position)
    }

    /// The chain at a position: kept beside a checkpoint in another place, it tells whether the journal is still the one
    /// that the checkpoint was made of. None beyond the end.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn chain_at(&self, position: Position) -> Result<Option<Digest>, Error> {
        if position == Position::START {
            return Ok(Some(Digest::ZERO));
        }
        self.inner.backend.chain_at(position).await
    }

    /// Returns when the journal may have grown beyond a position, by whatever process, or after a while anyhow: look again.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn grown(&self, beyond: Position) -> Result<(), Error> {
        self.inner.backend.grown(beyond).await
    }

    /// The database's clock, in microseconds since 1970 UTC: what events are stamped with. For waits that outlive a
    /// process, never for order.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn now_us(&self) -> Result<i64, Error> {
        self.inner.backend.now_us().await
    }

    /// The version of a stream's last event; 0 for none.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn version(&self, stream: &StreamName) -> Result<u64, Error> {
        self.inner.backend.version(stream.clone()).await
    }

    /// Follows the journal from where a subscriber of this name was left, or from its beginning.
    ///
    /// # Errors
    /// [`Error::BeyondHead`] and [`Error::OtherHistory`] when the journal is not the one that the checkpoint was stored
    /// in: an older backup was restored.
    pub async fn subscribe(&self, subscribe: Subscribe) -> Result<Subscription, Error> {
        Subscription::open(self.inner.clone(), subscribe).await
    }

    /// The snapshot of a stream, if there is one with this mark and the stream still has the event it ends with.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn snapshot(&self, stream: &StreamName, mark: &str) -> Result<Option<Snapshot>, Error> {
        let found = self.inner.backend.snapshot(stream.clone()).await?;
        Ok(found.filter(|snapshot| snapshot.mark == mark))
    }

    /// Stores a snapshot. False where the stream has no event of its version, or a newer snapshot with its mark is there.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn save_snapshot(&self, snapshot: Snapshot) -> Result<bool, Error> {
        self.inner.backend.save_snapshot(snapshot).await
    }

    /// Takes no more appends, answers those it has, and lets go of files and connections. Other clones of this handle
    /// get [`Error::Closed`] from then on.
    pub async fn close(self) {
        self.writer.close().await;
        self.inner.backend.close().await;
    }
}
