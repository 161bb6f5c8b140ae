//! Writes to a source while it is moved: the ledger, which knows afterwards what it was told.

use atalaya_estate::ConnectionUrl;
use atalaya_load::ledger::{Ledger, LedgerOptions, LedgerRecord, LedgerRun, LedgerSize};
use atalaya_postgres::Session;
use tokio::runtime::Runtime;

use crate::support::eventually;

/// A ledger that works on a source; it goes on until it is stopped.
pub(crate) struct Writes {
    runtime: Runtime,
    run: LedgerRun,
}

impl Writes {
    /// Makes the ledger's tables and starts its clients; returns once they have committed something.
    pub(crate) fn start(url: &str, clients: u32, rate: u32) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let url = ConnectionUrl::parse(url).unwrap();
        let run = runtime.block_on(async {
            let session = Session::connect(&url, "test").await.unwrap();
            Ledger::prepare(&session, LedgerSize { accounts: 200 }).await.unwrap();
            Ledger::start(LedgerOptions { clients, rate: Some(rate), ..LedgerOptions::new(url) }).await.unwrap()
        });
        let writes = Self { runtime, run };
        writes.wait_for_more(1);
        writes
    }

    /// Waits until the clients were told of so many further commits.
    pub(crate) fn wait_for_more(&self, commits: u64) {
        let before = self.run.counts().committed;
        eventually("further commits of the ledger", || self.run.counts().committed >= before + commits);
    }

    /// Ends the clients and hands out what they were told.
    pub(crate) fn stop(self) -> Written {
        let record = self.runtime.block_on(self.run.stop());
        assert!(record.committed() > 0);
        Written { runtime: self.runtime, record }
    }
}

/// What an ended ledger was told.
pub(crate) struct Written {
    runtime: Runtime,
    record: LedgerRecord,
}

impl Written {
    /// Asserts that a server holds every commit exactly once, nothing that failed, and books that balance.
    pub(crate) fn assert_reconciled(&self, url: &str) {
        let url = ConnectionUrl::parse(url).unwrap();
        let found = self.runtime.block_on(async {
            let session = Session::connect(&url, "test").await.unwrap();
            self.record.reconcile(&session).await.unwrap()
        });
        assert!(found.is_clean(), "{found:?}");
        assert_eq!(found.committed, self.record.committed());
    }
}
