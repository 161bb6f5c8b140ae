//! Two servers, a journal, and what a coordinator does.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_eventstore::{Options, Store};
use atalaya_gateway::admin::{Answer, Readiness, Refused, Request, Settled};
use atalaya_gateway::{OpenRoutes, Routing};
use atalaya_route::{Decision, OpenEpoch, Opening, Routes};
use atalaya_sandbox::{Server, fresh_database};
use tokio::runtime::Runtime;

use crate::support::{Gateway, Setup};

/// Long enough for a machine that is slow.
pub(crate) const LONG: Duration = Duration::from_secs(300);

/// Databases `blue` of 18 and `green` of 16, whose table `place` says which one it is.
pub(crate) struct Lab {
    blue: (&'static Server, String),
    green: (&'static Server, String),
    folder: tempfile::TempDir,
    /// Where the journal is, if it is no file.
    journal: Option<String>,
    pub(crate) setup: Setup,
    pub(crate) runtime: Runtime,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with_journal(None)
    }

    /// With a journal in a database of Postgres.
    pub(crate) fn with_journal(journal: Option<String>) -> Self {
        let (blue, green) = (fresh_database(18).unwrap(), fresh_database(16).unwrap());
        for (place, name) in [(&blue, "blue"), (&green, "green")] {
            let sql = format!("CREATE TABLE place AS SELECT '{name}' AS name; GRANT ALL ON place TO public");
            place.0.run_sql(&place.1, &sql).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let setup = Setup::of(blue.0, &blue.1).green(green.0, &green.1).servers_max(4);
        let mut lab = Self { blue, green, folder, journal, setup, runtime };
        lab.setup = lab.setup.clone().routing(Routing::ByJournal(lab.open_routes()));
        lab
    }

    fn open_routes(&self) -> OpenRoutes {
        let place = self.journal.clone().unwrap_or_else(|| self.folder.path().join("journal.db").display().to_string());
        Arc::new(move || {
            let place = place.clone();
            Box::pin(async move {
                let limit = Duration::from_secs(1);
                let options = Options { lock_limit: limit, reconnect_limit: limit, ..Options::default() };
                let store = if place.starts_with("postgres") {
                    Store::open_postgres(&ConnectionUrl::parse(&place).unwrap(), options).await
                } else {
                    Store::open_sqlite(Path::new(&place), options).await
                };
                store.map(|store| Some(Routes::new(store))).map_err(|error| error.to_string())
            })
        })
    }

    /// The coordinator's own handle of the journal.
    pub(crate) fn routes(&self) -> Routes {
        let open = self.open_routes();
        self.runtime.block_on(async move { open().await }).unwrap().unwrap()
    }

    pub(crate) fn gateway(&self) -> Gateway {
        self.setup.clone().start()
    }

    fn opening(&self, gates: &[&Readiness], lease: Duration) -> Opening {
        let from = gates.first().map_or("blue", |gate| &gate.from);
        let (to, database) = if from == "blue" { ("green", &self.blue.1) } else { ("blue", &self.green.1) };
        let role = self.setup.server_user();
        Opening {
            migration: "blue-to-green".to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            gates: gates.iter().map(|gate| gate.gate.clone()).collect(),
            lease,
            lift: vec![
                format!("GRANT CONNECT ON DATABASE {database} TO PUBLIC"),
                format!("GRANT CONNECT ON DATABASE {database} TO {role}"),
            ],
            rehearsal: false,
        }
    }

    pub(crate) fn open(&self, routes: &Routes, gates: &[&Readiness], lease: Duration) -> OpenEpoch {
        self.runtime.block_on(routes.open("blue", self.opening(gates, lease))).unwrap()
    }

    /// The same with one statement more by which the fence is lifted.
    pub(crate) fn open_lifted_by(
        &self,
        routes: &Routes,
        gates: &[&Readiness],
        lease: Duration,
        statement: &str,
    ) -> OpenEpoch {
        let mut opening = self.opening(gates, lease);
        opening.lift.push(statement.to_owned());
        self.runtime.block_on(routes.open("blue", opening)).unwrap()
    }

    pub(crate) fn run_at_blue(&self, sql: &str) {
        self.blue.0.run_sql(&self.blue.1, sql).unwrap();
    }

    pub(crate) fn flip(&self, routes: &Routes, epoch: &OpenEpoch) -> Decision {
        self.runtime.block_on(routes.flip(epoch, "coordinator")).unwrap()
    }

    pub(crate) fn close(&self, routes: &Routes, epoch: &OpenEpoch) -> Decision {
        self.runtime.block_on(routes.close(epoch, "coordinator", "a test")).unwrap()
    }

    pub(crate) fn decision(&self, routes: &Routes, epoch: &OpenEpoch) -> Option<Decision> {
        self.runtime.block_on(routes.decision(epoch)).unwrap()
    }

    /// As a coordinator fences what clients are to leave: nobody gets in any more, and who is in is ended.
    pub(crate) fn fence(&self, spared: &[&Readiness]) {
        let (server, database) = &self.blue;
        let spared: Vec<_> = spared.iter().map(|gate| gate.fence_process_id.to_string()).collect();
        let sql = format!(
            "REVOKE CONNECT ON DATABASE {database} FROM PUBLIC, {}; SELECT pg_terminate_backend(pid) FROM \
             pg_stat_activity WHERE datname = '{database}' AND pid <> ALL ('{{{}}}')",
            self.setup.server_user(),
            spared.join(","),
        );
        server.run_sql("postgres", &sql).unwrap();
        assert!(self.is_fenced());
    }

    /// Nobody gets in any more, whatever their rights.
    pub(crate) fn shut(&self) {
        let (server, database) = &self.blue;
        server.run_sql("postgres", &format!("ALTER DATABASE {database} ALLOW_CONNECTIONS false")).unwrap();
    }

    /// What undoes that, by who is in.
    pub(crate) fn opening_again(&self) -> String {
        format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.blue.1)
    }

    pub(crate) fn is_fenced(&self) -> bool {
        let (server, database) = &self.blue;
        let sql = format!("SELECT has_database_privilege('{}', '{database}', 'CONNECT')", self.setup.server_user());
        server.run_sql("postgres", &sql).unwrap() == "f"
    }

    /// Sessions of the gateway's user at the new place.
    pub(crate) fn sessions_at_green(&self) -> usize {
        self.sessions_at(&self.green)
    }

    /// The same at the place where clients are.
    pub(crate) fn sessions_at_blue(&self) -> usize {
        self.sessions_at(&self.blue)
    }

    fn sessions_at(&self, (server, database): &(&'static Server, String)) -> usize {
        let role = self.setup.server_user();
        let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND usename = '{role}'");
        server.run_sql("postgres", &sql).unwrap().parse().unwrap()
    }
}

/// What is asked of a gateway.
pub(crate) trait Steered {
    fn ready(&self) -> Readiness {
        self.try_ready("green").unwrap()
    }
    fn try_ready(&self, to: &str) -> Result<Readiness, Refused>;
    fn arm(&self, epoch: &OpenEpoch) {
        self.try_arm(epoch.epoch, LONG).unwrap();
    }
    fn try_arm(&self, epoch: u64, drain: Duration) -> Result<(), Refused>;
    fn settle(&self, epoch: &OpenEpoch) -> Settled {
        self.try_settle(epoch.epoch).unwrap()
    }
    fn try_settle(&self, epoch: u64) -> Result<Settled, Refused>;
}

impl Steered for Gateway {
    fn try_ready(&self, to: &str) -> Result<Readiness, Refused> {
        match self.answer(Request::Ready { database: "blue".to_owned(), to: to.to_owned() }) {
            Answer::Ready(readiness) => Ok(readiness),
            Answer::Refused(refused) => Err(refused),
            other => panic!("{other:?}"),
        }
    }

    fn try_arm(&self, epoch: u64, drain: Duration) -> Result<(), Refused> {
        let drain_limit_ms = u64::try_from(drain.as_millis()).unwrap();
        match self.answer(Request::Arm { database: "blue".to_owned(), epoch, drain_limit_ms }) {
            Answer::Armed { .. } => Ok(()),
            Answer::Refused(refused) => Err(refused),
            other => panic!("{other:?}"),
        }
    }

    fn try_settle(&self, epoch: u64) -> Result<Settled, Refused> {
        match self.answer(Request::Settle { database: "blue".to_owned(), epoch }) {
            Answer::Settled(settled) => Ok(settled),
            Answer::Refused(refused) => Err(refused),
            other => panic!("{other:?}"),
        }
    }
}
