//! Two servers, a journal, gateways and streams of a test's own, and who can write where.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use atalaya_control::Failpoints;
use atalaya_cutover::switch::Begun;
use atalaya_cutover::{Course, Direction, Ends, Limits, Means, OtherSchema, Plans, Purpose, TrafficGate, Unproven};
use atalaya_estate::ConnectionUrl;
use atalaya_eventstore::{Options, Store};
use atalaya_postgres::Session;
use atalaya_route::Routes;
use atalaya_sandbox::{Role, Server, fresh_database};

use crate::hand::{Streams, TestGate};

pub(crate) const OLD: &str = "shop";
pub(crate) const NEW: &str = "shop-green";

/// One server's database, and the application that uses it.
pub(crate) struct Side {
    pub(crate) server: &'static Server,
    pub(crate) database: String,
    pub(crate) app: Role,
}

impl Side {
    pub(crate) fn new(major: u16) -> Self {
        let (server, database) = fresh_database(major).unwrap();
        Self::of(server, database)
    }

    /// A database of its own on a server that a test has set up.
    pub(crate) fn on(server: &'static Server) -> Self {
        static DATABASES: AtomicU32 = AtomicU32::new(0);
        let database = format!("own_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        server.create_database(&database).unwrap();
        Self::of(server, database)
    }

    pub(crate) fn of(server: &'static Server, database: String) -> Self {
        let app = server.create_rds_shaped_role(&format!("app {database}"), &database).unwrap();
        server.run_sql(&database, &format!("CREATE TABLE t (a int); GRANT ALL ON t TO \"app {database}\"")).unwrap();
        Self { server, database, app }
    }

    pub(crate) fn url(&self) -> ConnectionUrl {
        ConnectionUrl::parse(&self.server.url(&self.database)).unwrap()
    }

    pub(crate) fn sql(&self, sql: &str) -> String {
        self.server.run_sql(&self.database, sql).unwrap()
    }

    /// The application, whose names are those of `public` unless it says otherwise.
    pub(crate) async fn application(&self) -> Session {
        let url = ConnectionUrl::parse(&self.server.url_as(&self.app, &self.database)).unwrap();
        let session = Session::connect(&url, "app").await.unwrap();
        session.batch("SET search_path = \"$user\", public").await.unwrap();
        session
    }

    /// Whether the application can log in and write.
    pub(crate) async fn is_writable(&self) -> bool {
        let url = ConnectionUrl::parse(&self.server.url_as(&self.app, &self.database)).unwrap();
        match Session::connect(&url, "app").await {
            Ok(session) => session.execute("INSERT INTO public.t VALUES (1)", &[]).await.is_ok(),
            Err(error) => {
                assert_eq!(error.sqlstate(), Some("42501"), "{error:?}");
                false
            }
        }
    }

    pub(crate) fn rights(&self) -> String {
        self.sql("SELECT coalesce(datacl::text, 'none') FROM pg_database WHERE datname = current_database()")
    }
}

/// Where it all happens.
pub(crate) struct Ground {
    folder: tempfile::TempDir,
    journal: Option<ConnectionUrl>,
    pub(crate) old: Side,
    pub(crate) new: Side,
    rights: String,
}

impl Ground {
    fn at(journal: Option<ConnectionUrl>) -> Self {
        Self::between(Side::new(13), Side::new(18), journal)
    }

    pub(crate) fn between(old: Side, new: Side, journal: Option<ConnectionUrl>) -> Self {
        let rights = old.rights();
        Self { folder: tempfile::tempdir().unwrap(), journal, old, new, rights }
    }

    pub(crate) fn sqlite() -> Self {
        Self::at(None)
    }

    pub(crate) fn postgres() -> Self {
        let (server, database) = fresh_database(18).unwrap();
        Self::at(Some(ConnectionUrl::parse(&server.url(&database)).unwrap()))
    }

    /// The journal as a process of its own opens it.
    pub(crate) async fn routes(&self) -> Routes {
        let store = match &self.journal {
            Some(url) => Store::open_postgres(url, Options::default()).await.unwrap(),
            None => Store::open_sqlite(&self.folder.path().join("journal.db"), Options::default()).await.unwrap(),
        };
        Routes::new(store)
    }

    /// Two gateways that lead to the old server.
    pub(crate) async fn gates(&self) -> Vec<Arc<TestGate>> {
        let places = vec![(OLD.to_owned(), self.old.url()), (NEW.to_owned(), self.new.url())];
        let mut gates = Vec::new();
        for name in ["gate-1", "gate-2"] {
            gates.push(Arc::new(TestGate::new(name, self.routes().await, places.clone(), &[OLD])));
        }
        gates
    }

    /// A coordinator as a process of its own has it.
    pub(crate) async fn means(&self, by: &str, gates: &[Arc<TestGate>]) -> Means {
        Means {
            routes: self.routes().await,
            gates: gates.iter().map(|gate| Arc::clone(gate) as Arc<dyn TrafficGate>).collect(),
            ends: vec![Ends {
                database: OLD.to_owned(),
                places: [(OLD.to_owned(), self.old.url()), (NEW.to_owned(), self.new.url())],
                replication: Arc::new(Streams::default()),
            }],
            limits: Limits { max_pause: Duration::from_secs(20), ..Limits::default() },
            client_roles: vec!["clerk".to_owned()],
            unproven: Unproven::Refuse,
            other_schema: OtherSchema::Refuse,
            plans: Plans::default(),
            prewarm: None,
            by: by.to_owned(),
            failpoints: Failpoints::none(),
        }
    }

    /// Every gate is open and leads to one place; the application can write there, and nowhere where it was led away from.
    pub(crate) async fn expect_served_by(&self, place: &str, gates: &[Arc<TestGate>]) {
        for gate in gates {
            gate.until_open().await;
            assert_eq!(gate.leads_to(OLD).as_deref(), Some(place), "{}", gate.name());
        }
        let led = self.routes().await.standing(OLD).await.unwrap();
        assert!(led.open.is_none(), "{led:?}");
        assert_eq!(led.leads_to.map_or(OLD.to_owned(), |led| led.to), place);
        let (here, there) = if place == OLD { (&self.old, &self.new) } else { (&self.new, &self.old) };
        assert!(here.is_writable().await);
        if place == NEW {
            assert!(!there.is_writable().await);
        } else {
            assert_eq!(self.old.rights(), self.rights);
        }
    }
}

pub(crate) fn course(purpose: Purpose) -> Course {
    Course {
        migration: "shop-to-18".to_owned(),
        database: OLD.to_owned(),
        from: OLD.to_owned(),
        to: NEW.to_owned(),
        direction: Direction::Forward,
        purpose,
    }
}

pub(crate) fn back() -> Course {
    Course { from: NEW.to_owned(), to: OLD.to_owned(), direction: Direction::Back, ..course(Purpose::Flip) }
}

/// What was begun behind an epoch.
pub(crate) fn begun(course: Course, floor: u64) -> [Begun; 1] {
    [Begun { course, floor }]
}
