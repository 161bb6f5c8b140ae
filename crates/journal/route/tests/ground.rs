//! Where a journal is kept for a test, and an epoch to decide.

use std::path::Path;
use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_eventstore::{Options, Store};
use atalaya_route::{OpenEpoch, Opening, Routes};
use atalaya_sandbox::fresh_database;

/// One place for a journal, empty at first: a file, or a URL.
pub(crate) struct Ground {
    folder: tempfile::TempDir,
    url: Option<String>,
}

/// Runs each test on every backend.
macro_rules! on_every_backend {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&$crate::ground::Ground::sqlite()).await;
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
        Self { folder: tempfile::tempdir().unwrap(), url: None }
    }

    pub(crate) fn postgres(major: u16) -> Self {
        let (server, database) = fresh_database(major).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), url: Some(server.url(&database)) }
    }

    /// As a child process is told of it.
    pub(crate) fn place(&self) -> String {
        self.url.clone().unwrap_or_else(|| self.folder.path().join("journal.db").display().to_string())
    }

    pub(crate) async fn routes(&self) -> Routes {
        Routes::new(open(&self.place()).await)
    }
}

/// A journal at a place.
pub(crate) async fn open(place: &str) -> Store {
    if place.starts_with("postgres") {
        Store::open_postgres(&ConnectionUrl::parse(place).unwrap(), Options::default()).await.unwrap()
    } else {
        Store::open_sqlite(Path::new(place), Options::default()).await.unwrap()
    }
}

/// The databases of a group, each led from its own name to its name with `-green`.
pub(crate) const GROUP: [&str; 3] = ["carts", "orders", "users"];

pub(crate) fn green(database: &str) -> String {
    format!("{database}-green")
}

/// What leads each database of the group there, or back.
pub(crate) fn openings(way: Way) -> Vec<(String, Opening)> {
    let of = |database: &str| match way {
        Way::There => opening(database, &green(database)),
        Way::Back => opening(&green(database), database),
    };
    GROUP
        .map(|database| (database.to_owned(), Opening { migration: format!("{database}-to-18"), ..of(database) }))
        .into()
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    There,
    Back,
}

pub(crate) fn opening(from: &str, to: &str) -> Opening {
    Opening {
        migration: "orders-to-18".to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        gates: vec!["gate-1".to_owned(), "gate-2".to_owned()],
        lease: Duration::from_secs(2),
        lift: vec!["GRANT CONNECT ON DATABASE orders TO app".to_owned(), "SELECT 1".to_owned()],
        rehearsal: false,
    }
}

/// An epoch that leads from `blue` to `green`, of the route `blue`.
pub(crate) async fn open_epoch(routes: &Routes) -> OpenEpoch {
    routes.open("blue", opening("blue", "green")).await.unwrap()
}
