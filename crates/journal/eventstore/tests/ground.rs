//! Where a journal is kept for a test: a folder of SQLite, or a database of its own on a real server.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use atalaya_estate::ConnectionUrl;
use atalaya_eventstore::{Error, Options, Store};
use atalaya_sandbox::{Server, fresh_database};

/// One place for a journal, empty at first.
pub(crate) enum Ground {
    Sqlite(tempfile::TempDir),
    Postgres { server: &'static Server, database: String },
}

/// How another process is told where.
const FILE: &str = "ATALAYA_TEST_JOURNAL_FILE";
const URL: &str = "ATALAYA_TEST_JOURNAL_URL";

/// Runs each test on every backend.
macro_rules! on_every_backend {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&$crate::ground::Ground::sqlite()).await;
            })*
        }

        mod postgres_15 {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&$crate::ground::Ground::postgres(15)).await;
            })*
        }

        mod postgres_18 {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&$crate::ground::Ground::postgres(18)).await;
            })*
        }
    };
}

impl Ground {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub(crate) fn postgres(major: u16) -> Self {
        let (server, database) = fresh_database(major).unwrap();
        Self::Postgres { server, database }
    }

    pub(crate) async fn open(&self) -> Store {
        self.open_with(Options::default()).await.unwrap()
    }

    pub(crate) async fn open_with(&self, options: Options) -> Result<Store, Error> {
        match self {
            Self::Sqlite(_) => Store::open_sqlite(&self.file(), options).await,
            Self::Postgres { .. } => Store::open_postgres(&self.url(), options).await,
        }
    }

    pub(crate) fn file(&self) -> PathBuf {
        match self {
            Self::Sqlite(folder) => folder.path().join("state/journal.db"),
            Self::Postgres { .. } => panic!("it has no file"),
        }
    }

    pub(crate) fn url(&self) -> ConnectionUrl {
        match self {
            Self::Sqlite(_) => panic!("it has no server"),
            Self::Postgres { server, database } => ConnectionUrl::parse(&server.url(database)).unwrap(),
        }
    }

    /// Runs SQL in the journal's tables, as somebody with a shell on the machine can; `events` is the table's name in
    /// both.
    pub(crate) fn run_sql(&self, sql: &str) -> String {
        match self {
            Self::Sqlite(_) => {
                let connection = rusqlite::Connection::open(self.file()).unwrap();
                connection.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
                connection.execute_batch(sql).unwrap();
                String::new()
            }
            Self::Postgres { server, database } => {
                server.run_sql(database, &format!("SET search_path = atalaya_journal; {sql}")).unwrap()
            }
        }
    }

    /// Bytes as they stand in SQL.
    pub(crate) fn blob(&self, bytes: &[u8]) -> String {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Self::Sqlite(_) => format!("x'{digits}'"),
            Self::Postgres { .. } => format!("'\\x{digits}'::bytea"),
        }
    }

    /// An identity as it stands in SQL.
    pub(crate) fn uuid(&self, uuid: &uuid::Uuid) -> String {
        match self {
            Self::Sqlite(_) => self.blob(uuid.as_bytes()),
            Self::Postgres { .. } => format!("'{uuid}'::uuid"),
        }
    }

    /// What a statement answers, as text.
    pub(crate) fn ask(&self, sql: &str) -> String {
        match self {
            Self::Sqlite(_) => {
                let connection = rusqlite::Connection::open(self.file()).unwrap();
                connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap().to_string()
            }
            Self::Postgres { .. } => self.run_sql(sql).lines().last().unwrap().to_owned(),
        }
    }

    /// A copy of a journal that nobody has open.
    pub(crate) fn back_up(&self) -> Self {
        match self {
            Self::Sqlite(_) => {
                let copy = Self::sqlite();
                std::fs::create_dir(copy.file().parent().unwrap()).unwrap();
                std::fs::copy(self.file(), copy.file()).unwrap();
                copy
            }
            Self::Postgres { server, database } => {
                let copy = format!("{database}_copy");
                // Sessions that were closed end a little later.
                let closed = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'");
                while server.run_sql("postgres", &closed).unwrap() != "0" {}
                server.create_database_with(&copy, &format!("TEMPLATE {database}")).unwrap();
                Self::Postgres { server, database: copy }
            }
        }
    }

    /// For a process that is to use the same journal.
    pub(crate) fn environment(&self) -> (&'static str, OsString) {
        match self {
            Self::Sqlite(_) => (FILE, self.file().into()),
            Self::Postgres { server, database } => (URL, server.url(database).into()),
        }
    }
}

/// The journal that this process was told of.
pub(crate) async fn open_as_told() -> Store {
    match (std::env::var_os(FILE), std::env::var(URL)) {
        (Some(file), _) => Store::open_sqlite(Path::new(&file), Options::default()).await.unwrap(),
        (None, Ok(url)) => {
            Store::open_postgres(&ConnectionUrl::parse(&url).unwrap(), Options::default()).await.unwrap()
        }
        (None, Err(_)) => panic!("no journal was named"),
    }
}
