//! A server with a database whose owner is shaped as managed services shape theirs.

use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_load::ledger::{Ledger, LedgerCounts, LedgerOptions, LedgerRun, LedgerSize};
use atalaya_postgres::Session;
use atalaya_sandbox::{Server, ServerOptions};
use tokio::time::{Instant, sleep};

/// More than any of these waits takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(180);

pub(crate) struct Lab {
    pub(crate) server: Server,
    pub(crate) url: ConnectionUrl,
    pub(crate) session: Session,
}

impl Lab {
    pub(crate) async fn start(options: ServerOptions) -> Self {
        let server = Server::start(options).unwrap();
        server.create_database("shop").unwrap();
        let role = server.create_rds_shaped_role("owner", "shop").unwrap();
        server.give_public_schema(&role, "shop").unwrap();
        let url = ConnectionUrl::parse(&server.url_as(&role, "shop")).unwrap();
        let session = Session::connect(&url, "test").await.unwrap();
        Self { server, url, session }
    }

    pub(crate) async fn with_ledger(options: ServerOptions) -> Self {
        let lab = Self::start(options).await;
        Ledger::prepare(&lab.session, LedgerSize { accounts: 100 }).await.unwrap();
        lab
    }

    pub(crate) fn options(&self) -> LedgerOptions {
        LedgerOptions { clients: 4, ..LedgerOptions::new(self.url.clone()) }
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.session.query_one(sql, &[]).await.unwrap().get(0)
    }
}

/// Waits until the run's numbers are as wished.
pub(crate) async fn until(run: &LedgerRun, wish: impl Fn(&LedgerCounts) -> bool) {
    let end = Instant::now() + LIMIT;
    while !wish(&run.counts()) {
        assert!(Instant::now() < end, "{:?}", run.counts());
        sleep(Duration::from_millis(5)).await;
    }
}
