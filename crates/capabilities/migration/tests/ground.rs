//! A journal with its tables, and an engine whose answers a test decides.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use atalaya_estate::ConnectionUrl;
use atalaya_eventstore::{Options, Read, Store, StreamName, Tables};
use atalaya_migration::{Engine, Known, MigrationEvent, Migrations, Operation, Reached, Subject};
use atalaya_sandbox::{Server, fresh_database};
use futures_util::future::BoxFuture;

/// Where both are kept.
pub(crate) struct Ground {
    folder: tempfile::TempDir,
    url: Option<ConnectionUrl>,
    server: Option<(&'static Server, String)>,
}

impl Ground {
    pub(crate) fn sqlite() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), url: None, server: None }
    }

    pub(crate) fn postgres() -> Self {
        let (server, database) = fresh_database(18).unwrap();
        let url = ConnectionUrl::parse(&server.url(&database)).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), url: Some(url), server: Some((server, database)) }
    }

    pub(crate) async fn store(&self) -> Store {
        match &self.url {
            Some(url) => Store::open_postgres(url, Options::default()).await.unwrap(),
            None => Store::open_sqlite(&self.folder.path().join("journal.db"), Options::default()).await.unwrap(),
        }
    }

    /// The migrations as a process of its own opens them.
    pub(crate) async fn migrations(&self, hand: &Arc<Hand>) -> Migrations {
        let tables = match &self.url {
            Some(url) => Tables::open_postgres(url).await.unwrap(),
            None => Tables::open_sqlite(&self.folder.path().join("tables.db")).await.unwrap(),
        };
        Migrations::open(self.store().await, tables, Arc::clone(hand) as Arc<dyn Engine>).unwrap()
    }

    /// Does something to the journal's tables.
    pub(crate) fn run_sql(&self, sql: &str) {
        let (server, database) = self.server.as_ref().unwrap();
        server.run_sql(database, sql).unwrap();
    }

    /// What the last event of a stream says.
    pub(crate) async fn last(&self, stream: &str) -> MigrationEvent {
        let stream = StreamName::new(stream).unwrap();
        let page = self.store().await.read(Read::stream_from(stream, 1, 1000)).await.unwrap();
        MigrationEvent::read(page.events.last().unwrap()).unwrap().1
    }

    /// The types of a stream's events, in their order.
    pub(crate) async fn history(&self, stream: &str) -> Vec<String> {
        let stream = StreamName::new(stream).unwrap();
        let page = self.store().await.read(Read::stream_from(stream, 1, 1000)).await.unwrap();
        page.events.iter().map(|event| event.event_type.to_string()).collect()
    }
}

/// What is asked of both servers, and whether it works.
#[derive(Default)]
pub(crate) struct Hand {
    asked: Mutex<Vec<&'static str>>,
    broken: AtomicBool,
}

impl Hand {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn break_off(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    pub(crate) fn asked(&self) -> Vec<&'static str> {
        self.asked.lock().unwrap().clone()
    }

    fn ask(&self, what: &'static str) -> BoxFuture<'_, Result<(), String>> {
        self.asked.lock().unwrap().push(what);
        let broken = self.broken.load(Ordering::SeqCst);
        Box::pin(std::future::ready(if broken { Err("the source is gone".to_owned()) } else { Ok(()) }))
    }
}

impl Engine for Hand {
    fn clean_up(&self) -> BoxFuture<'_, Result<(), String>> {
        self.ask("clean up")
    }

    fn withdraw(&self) -> BoxFuture<'_, Result<(), String>> {
        self.ask("withdraw")
    }
}

pub(crate) fn subject() -> Subject {
    let url = |host: &str| ConnectionUrl::parse(&format!("postgres://mover:secret@{host}:5433/shop")).unwrap();
    Subject::new("shop".parse().unwrap(), &url("old"), &url("new"))
}

/// What the target says of an operation.
pub(crate) fn known(operation: &Operation, reached: Reached) -> Known {
    Known { id: operation.id().clone(), reached }
}
