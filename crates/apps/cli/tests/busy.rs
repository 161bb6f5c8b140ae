//! A source that is written to while it moves: the ledger workload, driven from a test that is not async.

use atalaya_estate::ConnectionUrl;
use atalaya_load::ledger::{Ledger, LedgerCounts, LedgerOptions, LedgerRecord, LedgerRun, LedgerSize, Reconciliation};
use atalaya_load::shop::{ShopSize, create};
use atalaya_postgres::Session;
use tokio::runtime::Runtime;

use crate::support::eventually;

/// Runs what is async in a test that is not.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

pub(crate) async fn session(url: &str) -> Session {
    Session::connect(&ConnectionUrl::parse(url).unwrap(), "test").await.unwrap()
}

/// A running ledger.
pub(crate) struct Busy {
    runtime: Runtime,
    run: LedgerRun,
}

/// How busy.
pub(crate) struct Load {
    pub(crate) clients: u32,
    pub(crate) rate: Option<u32>,
    pub(crate) shop: bool,
}

impl Busy {
    /// Makes the ledger's tables, and a shop of so many bytes where one is wanted.
    pub(crate) fn prepare(url: &str, shop_bytes: Option<u64>) {
        runtime().block_on(async {
            let session = session(url).await;
            Ledger::prepare(&session, LedgerSize::default()).await.unwrap();
            if let Some(bytes) = shop_bytes {
                create(&session, ShopSize::of_bytes(bytes)).await.unwrap();
            }
        });
    }

    pub(crate) fn start(url: &str, load: Load) -> Self {
        let runtime = runtime();
        let options = LedgerOptions {
            clients: load.clients,
            rate: load.rate,
            shop: load.shop,
            ..LedgerOptions::new(ConnectionUrl::parse(url).unwrap())
        };
        let run = runtime.block_on(Ledger::start(options)).unwrap();
        Self { runtime, run }
    }

    pub(crate) fn counts(&self) -> LedgerCounts {
        self.run.counts()
    }

    /// Waits until so many more transactions are committed.
    pub(crate) fn commit_more(&self, transactions: u64) {
        let wanted = self.counts().committed + transactions;
        eventually("further commits of the ledger", || self.counts().committed >= wanted);
    }

    /// Ends the clients; what they were told.
    pub(crate) fn stop(self) -> LedgerRecord {
        self.runtime.block_on(self.run.stop())
    }
}

/// Compares what the clients were told with what a server holds.
pub(crate) fn reconcile(record: &LedgerRecord, url: &str) -> Reconciliation {
    runtime().block_on(async { record.reconcile(&session(url).await).await }).unwrap()
}
