//! A journal and a database for tables: files of SQLite, or a database of Postgres for both.

use std::path::Path;

use atalaya_estate::ConnectionUrl;
use atalaya_eventstore::{Options, Statement, Store, Tables, Value};
use atalaya_sandbox::fresh_database;

/// Where both are kept.
pub(crate) struct Ground {
    folder: tempfile::TempDir,
    url: Option<ConnectionUrl>,
    /// The same with its password.
    place: Option<String>,
}

impl Ground {
    pub(crate) fn sqlite() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), url: None, place: None }
    }

    pub(crate) fn postgres() -> Self {
        let (server, database) = fresh_database(18).unwrap();
        let place = server.url(&database);
        let url = ConnectionUrl::parse(&place).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), url: Some(url), place: Some(place) }
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

    /// Where the tables are, as a child process is told of it.
    pub(crate) fn tables_place(&self) -> String {
        self.place.clone().unwrap_or_else(|| self.folder().join("tables.db").display().to_string())
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Tables at a place: a URL or a file.
pub(crate) async fn open_tables(place: &str) -> Tables {
    if place.starts_with("postgres") {
        Tables::open_postgres(&ConnectionUrl::parse(place).unwrap()).await.unwrap()
    } else {
        Tables::open_sqlite(place.as_ref()).await.unwrap()
    }
}

pub(crate) async fn rows(tables: &Tables, sql: &str) -> Vec<Vec<Value>> {
    tables.query(Statement::new(sql, Vec::new())).await.unwrap()
}

pub(crate) async fn number(tables: &Tables, sql: &str) -> i64 {
    rows(tables, sql).await[0][0].as_integer().unwrap()
}
