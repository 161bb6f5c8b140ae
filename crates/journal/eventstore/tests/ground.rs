//! Where a journal is kept for a test: a folder of SQLite, or a database of its own on a real server.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use atalaya_estate::ConnectionUrl;
use atalaya_eventstore::{Error, Options, Store};
use atalaya_sandbox::{Server, ServerOptions};

/// One place for a journal, empty at first.
pub(crate) enum Ground {
    Sqlite(tempfile::TempDir),
    Postgres { server: &'static Server, database: String },
}

static SERVERS: [OnceLock<Server>; 2] = [const { OnceLock::new() }; 2];
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
        let server =
            SERVERS[usize::from(major == 18)].get_or_init(|| Server::start(ServerOptions::new(major)).unwrap());
        let database = format!("journal_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        server.create_database(&database).unwrap();
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
}
