//! A journal and a database for tables: files of SQLite, or a database of Postgres for both.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use atalaya_estate::ConnectionUrl;
use atalaya_eventstore::{Options, Statement, Store, Tables, Value};
use atalaya_sandbox::{Server, ServerOptions};

/// Where both are kept.
pub(crate) struct Ground {
    folder: tempfile::TempDir,
    url: Option<ConnectionUrl>,
}

static SERVER: OnceLock<Server> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// Runs each test on every backend.
macro_rules! on_every_backend {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&$crate::ground::Ground::sqlite()).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&$crate::ground::Ground::postgres()).await;
            })*
        }
    };
}

impl Ground {
    pub(crate) fn sqlite() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), url: None }
    }

    pub(crate) fn postgres() -> Self {
        let server = SERVER.get_or_init(|| Server::start(ServerOptions::new(18)).unwrap());
        let database = format!("cqrs_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        server.create_database(&database).unwrap();
        let url = ConnectionUrl::parse(&server.url(&database)).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), url: Some(url) }
    }

    pub(crate) async fn store(&self) -> Store {
        match &self.url {
            Some(url) => Store::open_postgres(url, Options::default()).await.unwrap(),
            None => Store::open_sqlite(&self.folder.path().join("journal.db"), Options::default()).await.unwrap(),
        }
    }

    pub(crate) async fn tables(&self) -> Tables {
        match &self.url {
            Some(url) => Tables::open_postgres(url).await.unwrap(),
            None => Tables::open_sqlite(&self.folder.path().join("tables.db")).await.unwrap(),
        }
    }
}

pub(crate) async fn rows(tables: &Tables, sql: &str) -> Vec<Vec<Value>> {
    tables.query(Statement::new(sql, Vec::new())).await.unwrap()
}

pub(crate) async fn number(tables: &Tables, sql: &str) -> i64 {
    rows(tables, sql).await[0][0].as_integer().unwrap()
}
