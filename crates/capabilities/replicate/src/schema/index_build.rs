//! Indexes and keys: those of a table that is copied are built while others still are, the rest once all rows are there.
//!
//! An index never comes before its table's last row, and one that calls functions never before every table's: a
//! function may read what is not copied yet.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use atalaya_data::RelationName;
use atalaya_postgres::Session;
use futures_util::future::try_join;
use tokio::sync::{Mutex, mpsc};

use super::archive::Archive;
use super::builders::{Builders, Work};
use super::entry::{CatalogId, Entry, Stage};
use super::scripts::Scripts;
use super::sections::{self, LOCK_TIMEOUT};
use crate::progress::Store;
use crate::report::{Event, Observer};
use crate::{Error, Options};

/// Plain indexes of plain tables, and the constraints that stand on such, by what pg_dump calls them: catalog and OID.
const PLAIN_INDEXES: &str = "
    SELECT o.catalog::oid, o.object, n.nspname::text, c.relname::text
      FROM pg_catalog.pg_index i
      JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      JOIN LATERAL (SELECT 'pg_catalog.pg_class'::regclass AS catalog, i.indexrelid AS object
                    UNION ALL
                    SELECT 'pg_catalog.pg_constraint'::regclass, k.oid FROM pg_catalog.pg_constraint k
                     WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')) o ON true
     WHERE c.relkind = 'r' AND i.indexprs IS NULL AND i.indpred IS NULL";

/// What is built, and by how many at once.
pub(crate) struct IndexBuild<'a> {
    archive: &'a Archive,
    scripts: Scripts<'a>,
    store: &'a Store<'a>,
    builders: &'a Builders<'a>,
    options: &'a Options,
    observer: &'a dyn Observer,
    entries: Vec<Planned<'a>>,
    /// The places among `entries` of what can be built as soon as its table is copied.
    of_tables: HashMap<RelationName, Vec<usize>>,
    built: AtomicUsize,
}

/// One index or key.
struct Planned<'a> {
    entry: &'a Entry,
    /// Whether this run has seen to it.
    built: AtomicBool,
}

/// Places of what can be built now, and the tables of which more will come.
struct Ready {
    places: VecDeque<usize>,
    copied: mpsc::UnboundedReceiver<RelationName>,
}

impl<'a> IndexBuild<'a> {
    /// Finds out which index is whose.
    pub(crate) async fn plan(
        archive: &'a Archive,
        source: &Session,
        store: &'a Store<'a>,
        builders: &'a Builders<'a>,
        options: &'a Options,
        observer: &'a dyn Observer,
    ) -> Result<Self, Error> {
        let all: Vec<&Entry> = archive.entries(Stage::Index).collect();
        let asked = async { Ok(source.query(PLAIN_INDEXES, &[]).await?) };
        let (rows, scripts) = try_join(asked, Scripts::of(archive, &all)).await?;
        let tables: HashMap<CatalogId, RelationName> = rows
            .iter()
            .map(|row| {
                let id = CatalogId { catalog: row.get(0), object: row.get(1) };
                (id, RelationName::new(row.get::<_, String>(2), row.get::<_, String>(3)))
            })
            .collect();
        let entries: Vec<Planned<'a>> =
            archive.entries(Stage::Index).map(|entry| Planned { entry, built: AtomicBool::new(false) }).collect();
        let mut of_tables: HashMap<RelationName, Vec<usize>> = HashMap::new();
        for (place, planned) in entries.iter().enumerate() {
            if let Some(table) = tables.get(&planned.entry.catalog_id) {
                of_tables.entry(table.clone()).or_default().push(place);
            }
        }
        let built = AtomicUsize::new(0);
        Ok(Self { archive, scripts, store, builders, options, observer, entries, of_tables, built })
    }

    /// Builds what belongs to copied tables, until no more of them are told of and all of theirs stands.
    pub(crate) async fn follow_copy(&self, copied: mpsc::UnboundedReceiver<RelationName>) -> Result<(), Error> {
        let ready = Mutex::new(Ready { places: VecDeque::new(), copied });
        let worker = || async {
            let mut session = None;
            while let Some(planned) = self.next_ready(&ready).await {
                let session = match &mut session {
                    Some(session) => session,
                    none => none.insert(self.builders.take(Work::Indexes).await?),
                };
                self.build(session, planned).await?;
            }
            if let Some(session) = session {
                self.builders.give_back(session).await;
            }
            Ok::<(), Error>(())
        };
        futures_util::future::try_join_all((0..self.options.index_workers.max(1)).map(|_| worker())).await?;
        Ok(())
    }

    async fn next_ready(&self, ready: &Mutex<Ready>) -> Option<&Planned<'a>> {
        // Whoever waits holds the lock; the others wait for the same.
        let mut ready = ready.lock().await;
        loop {
            if let Some(place) = ready.places.pop_front() {
                return self.entries.get(place);
            }
            let table = ready.copied.recv().await?;
            ready.places.extend(self.of_tables.get(&table).into_iter().flatten());
        }
    }

    /// Builds what is left, several at once; then what ties indexes to partitioned tables.
    pub(crate) async fn finish(&self) -> Result<(), Error> {
        let left: Vec<&Planned<'_>> =
            self.entries.iter().filter(|planned| !planned.built.load(Ordering::Relaxed)).collect();
        let next = AtomicUsize::new(0);
        let worker = || async {
            let session = self.builders.take(Work::Indexes).await?;
            while let Some(planned) = left.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.build(&session, planned).await?;
            }
            self.builders.give_back(session).await;
            Ok::<(), Error>(())
        };
        let workers = self.options.index_workers.max(1).min(left.len());
        futures_util::future::try_join_all((0..workers).map(|_| worker())).await?;
        let attach: Vec<&Entry> = self.archive.entries(Stage::Attach).collect();
        sections::run_once(self.archive, self.store, "index partitions", &attach, LOCK_TIMEOUT).await
    }

    async fn build(&self, session: &Session, planned: &Planned<'_>) -> Result<(), Error> {
        let (own, step) = (Store { session, name: self.store.name }, sections::step_name(planned.entry));
        if !own.has_step(&step).await? {
            sections::run_script(&own, &step, &self.scripts.of_entry(planned.entry).await?, "").await?;
        }
        self.options.failpoints.reach("index-built");
        planned.built.store(true, Ordering::Relaxed);
        let done = self.built.fetch_add(1, Ordering::Relaxed) + 1;
        self.observer.observe(&Event::Built { done, all: self.entries.len() });
        Ok(())
    }
}

/// Hears which tables are copied on the way to whoever watches.
pub(crate) struct Announcing<'a> {
    /// Who watches.
    pub(crate) observer: &'a dyn Observer,
    /// Takes no more names than there are tables.
    pub(crate) copied: mpsc::UnboundedSender<RelationName>,
}

impl Announcing<'_> {
    /// Says that a table is copied.
    pub(crate) fn tell(&self, table: &RelationName) {
        // Nobody builds any more: that has an error of its own.
        let _told = self.copied.send(table.clone());
    }
}

impl Observer for Announcing<'_> {
    fn observe(&self, event: &Event) {
        if let Event::TableCopied { table, .. } = event {
            self.tell(table);
        }
        self.observer.observe(event);
    }
}
