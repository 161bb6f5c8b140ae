//! A run: its clients, its rate, and what can be done with it while it goes on.

use std::sync::Arc;
use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::client::{Client, Orders, Terms};
use super::counts::Meter;
use super::deck::{Deck, ShopBounds};
use super::record::{CLIENTS_MAX, RUNS_MAX};
use super::{ClientRecord, LedgerCounts, LedgerRecord};
use crate::Error;

/// The workload; see [`Ledger::prepare`] and [`Ledger::start`].
pub struct Ledger;

/// How a run works.
#[derive(Clone, Debug)]
pub struct LedgerOptions {
    /// The server its clients begin on.
    pub url: ConnectionUrl,
    /// Concurrent clients, each with one connection; 1 to 1,024.
    pub clients: u32,
    /// Transactions a second of all clients together, evenly spread, the 2 in 100 that are rolled back on
    /// purpose among them; none for as many as possible.
    pub rate: Option<u32>,
    /// Decides, with the run's number, what each client does.
    pub seed: u64,
    /// Whether the transactions work in the shop, too; it must be there.
    pub shop: bool,
    /// A transaction without an answer after this has an unknown outcome.
    pub transaction_timeout: Duration,
    /// A client that cannot connect for so long gives up.
    pub outage_max: Duration,
}

impl LedgerOptions {
    /// Eight unthrottled clients without the shop; transactions of at most 30 s, outages of at most 2 min.
    #[must_use]
    pub fn new(url: ConnectionUrl) -> Self {
        Self {
            url,
            clients: 8,
            rate: None,
            seed: 1,
            shop: false,
            transaction_timeout: Duration::from_secs(30),
            outage_max: Duration::from_secs(120),
        }
    }
}

/// A run that goes on; dropping it stops its clients and forgets what they know.
pub struct LedgerRun {
    number: u32,
    meter: Arc<Meter>,
    orders: watch::Sender<Orders>,
    clients: Vec<JoinHandle<ClientRecord>>,
}

impl Ledger {
    /// Starts the clients of a run.
    ///
    /// # Errors
    /// The server's, a lost connection, tables that are not there, options that cannot be worked with.
    pub async fn start(options: LedgerOptions) -> Result<LedgerRun, Error> {
        check(&options)?;
        let session = Session::connect(&options.url, "atalaya ledger").await?;
        expect_table(&session, "ledger.transfer", "prepare the ledger first").await?;
        let shop = if options.shop {
            expect_table(&session, "shop.customer", "create the shop first, or run without it").await?;
            Some(ShopBounds::read(&session).await?)
        } else {
            None
        };
        let accounts: i64 = session.query_one("SELECT count(*) FROM ledger.account", &[]).await?.get(0);
        let number = claim_run(&session, options.seed).await?;
        let interval = options.rate.map(|rate| Duration::from_secs(u64::from(options.clients)) / rate);
        let terms = Terms {
            run: number,
            with_shop: options.shop,
            interval,
            transaction_timeout: options.transaction_timeout,
            outage_max: options.outage_max,
        };
        let meter = Arc::new(Meter::new());
        let (orders, receiver) = watch::channel(Orders { url: options.url, epoch: 0, stopping: false });
        let started = Instant::now();
        let clients = (0..options.clients)
            .map(|client| {
                let deck = Deck::new([options.seed, number.into(), client.into()], accounts, shop);
                let first_at = started + interval.unwrap_or_default() * client / options.clients;
                let client = Client::new(client, terms, deck, Arc::clone(&meter), receiver.clone());
                tokio::spawn(client.work(first_at))
            })
            .collect();
        Ok(LedgerRun { number, meter, orders, clients })
    }
}

impl LedgerRun {
    /// The run's number in `ledger.run`.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// What it has done until now.
    #[must_use]
    pub fn counts(&self) -> LedgerCounts {
        self.meter.counts()
    }

    /// Moves the clients to another server: each ends its transaction and connects there.
    pub fn repoint(&self, url: ConnectionUrl) {
        self.orders.send_modify(|orders| {
            orders.url = url;
            orders.epoch += 1;
        });
    }

    /// Lets every client end its transaction, and hands out what they were told.
    ///
    /// Takes at most a transaction's and a connection's time limit.
    pub async fn stop(self) -> LedgerRecord {
        self.orders.send_modify(|orders| orders.stopping = true);
        let counts = self.meter.counts();
        let mut clients = Vec::with_capacity(self.clients.len());
        for client in self.clients {
            // A client that panicked knows nothing any more; its ids then show as never issued.
            clients.push(client.await.unwrap_or_default());
        }
        let last = self.meter.counts();
        LedgerRecord {
            run: self.number,
            clients,
            counts: LedgerCounts {
                committed: last.committed,
                failed: last.failed,
                rolled_back: last.rolled_back,
                unknown: last.unknown,
                ..counts
            },
            timeline: self.meter.timeline(),
        }
    }
}

fn check(options: &LedgerOptions) -> Result<(), Error> {
    if options.clients == 0 || options.clients > CLIENTS_MAX {
        return Err(Error::Option { option: "clients", must: "1 to 1,024" });
    }
    if options.rate == Some(0) {
        return Err(Error::Option { option: "rate", must: "1 or more" });
    }
    Ok(())
}

async fn expect_table(session: &Session, table: &'static str, hint: &'static str) -> Result<(), Error> {
    let there: bool = session.query_one("SELECT to_regclass($1::text) IS NOT NULL", &[&table]).await?.get(0);
    if there { Ok(()) } else { Err(Error::NotPrepared { table, hint }) }
}

async fn claim_run(session: &Session, seed: u64) -> Result<u32, Error> {
    let number: i32 = session
        .query_one(
            "INSERT INTO ledger.run (number, seed, started_at)
             SELECT coalesce(max(number), 0) + 1, $1::bigint, now() FROM ledger.run RETURNING number",
            &[&seed.cast_signed()],
        )
        .await?
        .get(0);
    match u32::try_from(number) {
        Ok(number) if number < RUNS_MAX => Ok(number),
        _ => Err(Error::NoRunLeft),
    }
}
