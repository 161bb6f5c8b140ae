//! Tables that are made of events, in SQLite or Postgres: what is written of one batch of events and how far it goes are
//! written in one transaction, or neither is.

mod postgres;
mod sqlite;
mod value;

use std::path::Path;

use atalaya_estate::ConnectionUrl;
use futures_util::future::BoxFuture;

pub use value::{Row, Value};

use crate::Place;

/// One statement. Parameters are `$1`, `$2` and so on, in both databases.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The SQL; no values of anybody's in it.
    pub sql: String,
    /// Its parameters.
    pub values: Vec<Value>,
    /// How many rows it has to touch; with another number the whole transaction is rolled back.
    pub expected: Option<u64>,
}

impl Statement {
    /// A statement that may touch any number of rows.
    #[must_use]
    pub fn new(sql: impl Into<String>, values: Vec<Value>) -> Self {
        Self { sql: sql.into(), values, expected: None }
    }

    /// The same, which has to touch so many.
    #[must_use]
    pub fn touching(mut self, rows: u64) -> Self {
        self.expected = Some(rows);
        self
    }
}

/// How a transaction went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// It is committed; how many rows each statement touched.
    Committed(Vec<u64>),
    /// A statement touched another number of rows than it had to; nothing was written.
    Unexpected {
        /// Which one, from 0.
        statement: usize,
        /// How many rows it touched.
        touched: u64,
    },
}

/// What can go wrong with tables.
#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    /// The database refused a statement: it is wrong, or what it writes breaks a constraint. Nothing was written.
    #[error("statement {statement} of the transaction was refused")]
    Refused {
        /// Which one, from 0.
        statement: usize,
        /// The database's answer.
        #[source]
        source: Box<crate::Error>,
    },
    /// The database is not well, or cannot be reached.
    #[error(transparent)]
    Store(#[from] crate::Error),
}

/// Which SQL is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite's.
    Sqlite,
    /// Postgres's.
    Postgres,
}

/// A database with tables of ours.
pub(crate) trait Database: Send + Sync + 'static {
    fn dialect(&self) -> Dialect;
    fn run(&self, statements: Vec<Statement>) -> BoxFuture<'_, Result<Ran, TablesError>>;
    fn query(&self, statement: Statement) -> BoxFuture<'_, Result<Vec<Row>, TablesError>>;
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// A database that tables are made in. Cheap to clone.
#[derive(Clone)]
pub struct Tables(std::sync::Arc<dyn Database>);

impl Tables {
    /// The tables of a place.
    ///
    /// # Errors
    /// As [`Tables::open_sqlite`] and [`Tables::open_postgres`].
    pub async fn open(place: &Place) -> Result<Self, TablesError> {
        match place {
            Place::Folder(folder) => Self::open_sqlite(&folder.join("tables.db")).await,
            Place::Postgres(url) => Self::open_postgres(url).await,
        }
    }

    /// Tables in a file of SQLite, which is made where there is none, readable by its owner alone.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn open_sqlite(path: &Path) -> Result<Self, TablesError> {
        Ok(Self(std::sync::Arc::new(sqlite::Sqlite::open(path).await?)))
    }

    /// Tables in a database of Postgres.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn open_postgres(url: &ConnectionUrl) -> Result<Self, TablesError> {
        Ok(Self(std::sync::Arc::new(postgres::Postgres::open(url).await?)))
    }

    /// Which SQL is understood.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.0.dialect()
    }

    /// Runs statements in one durable transaction, or none of them.
    ///
    /// # Errors
    /// [`TablesError::Refused`] where the database says no to one of them; otherwise it is not well.
    pub async fn run(&self, statements: Vec<Statement>) -> Result<Ran, TablesError> {
        self.0.run(statements).await
    }

    /// Reads rows; for results that are known to be bounded.
    ///
    /// # Errors
    /// As [`Tables::run`].
    pub async fn query(&self, statement: Statement) -> Result<Vec<Row>, TablesError> {
        self.0.query(statement).await
    }

    /// Lets go of files and connections.
    pub async fn close(&self) {
        self.0.close().await;
    }
}
