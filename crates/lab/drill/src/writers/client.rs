//! The clients: each with a connection, its own random numbers, and a new connection after its server was killed.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Statements;
use super::statements::{Deed, NUMBERS};
use crate::report::Writes;

const APPLICATION_NAME: &str = "atalaya writer";
const SETTINGS: &str = "SET lock_timeout = '3s'; SET statement_timeout = '20s'; SET client_min_messages = error";
const STATEMENTS_MAX: u32 = 4;
/// A transaction without an answer after this counts as lost.
const TRANSACTION_LIMIT: Duration = Duration::from_secs(60);
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);
/// Row numbers begin beyond those that any table was filled with.
const FIRST_NUMBER: i64 = 10_000_000;

/// All clients.
pub(crate) struct Writers {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

struct Shared {
    url: ConnectionUrl,
    tables: Vec<Statements>,
    is_ending: AtomicBool,
    /// Tables are not emptied.
    is_sparing: AtomicBool,
    number: AtomicI64,
    writes: Mutex<Writes>,
}

/// How a transaction ended.
enum End {
    Committed(Writes),
    RolledBack,
    Refused,
    Lost,
}

impl Writers {
    /// Starts the clients, so many transactions a second together; without a table none does anything.
    pub(crate) fn start(url: &ConnectionUrl, tables: Vec<Statements>, clients: u32, rate: u32, seed: u64) -> Self {
        let shared = Arc::new(Shared {
            url: url.clone(),
            tables,
            is_ending: AtomicBool::new(false),
            is_sparing: AtomicBool::new(false),
            number: AtomicI64::new(FIRST_NUMBER),
            writes: Mutex::default(),
        });
        let interval = Duration::from_secs(clients.into()) / rate.max(1);
        let clients = (0..clients)
            .map(|client| {
                let random =
                    StdRng::seed_from_u64(seed.wrapping_add(u64::from(client)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
                tokio::spawn(work(Arc::clone(&shared), random, interval))
            })
            .collect();
        Self { shared, clients }
    }

    /// From here on no table is emptied: an older snapshot, as that of a comparison, would see it empty too early.
    pub(crate) fn spare_tables(&self) {
        self.shared.is_sparing.store(true, Ordering::SeqCst);
    }

    /// Transactions that they were told committed by now.
    pub(crate) fn committed(&self) -> u64 {
        self.shared.writes().committed
    }

    /// Lets every client end its transaction.
    pub(crate) async fn stop(self) -> Writes {
        self.shared.is_ending.store(true, Ordering::SeqCst);
        for client in self.clients {
            // One that panicked has counted nothing more; the source is what is right.
            let _ended = client.await;
        }
        self.shared.writes().clone()
    }
}

impl Shared {
    fn writes(&self) -> std::sync::MutexGuard<'_, Writes> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::SeqCst)
    }
}

async fn work(shared: Arc<Shared>, mut random: StdRng, interval: Duration) {
    let mut session = None;
    let mut next = Instant::now();
    while !shared.is_ending() && !shared.tables.is_empty() {
        let Some(connected) = session.take() else {
            session = connect(&shared.url).await;
            if session.is_none() {
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
            continue;
        };
        tokio::time::sleep_until(next).await;
        next = Instant::now().max(next) + interval;
        let end = tokio::time::timeout(TRANSACTION_LIMIT, transaction(&connected, &shared, &mut random));
        let end = end.await.unwrap_or(End::Lost);
        if !matches!(end, End::Lost) {
            session = Some(connected);
        }
        let mut writes = shared.writes();
        match end {
            End::Committed(done) => writes.add(&done),
            End::RolledBack => writes.rolled_back += 1,
            End::Refused => writes.refused += 1,
            End::Lost => writes.unknown += 1,
        }
    }
}

async fn connect(url: &ConnectionUrl) -> Option<Session> {
    let session = Session::connect(url, APPLICATION_NAME).await.ok()?;
    session.batch(SETTINGS).await.ok()?;
    Some(session)
}

async fn transaction(session: &Session, shared: &Shared, random: &mut StdRng) -> End {
    let mut done = Writes { committed: 1, ..Writes::default() };
    if session.batch("BEGIN").await.is_err() {
        return End::Lost;
    }
    for _ in 0..random.random_range(1..=STATEMENTS_MAX) {
        let at = random.random_range(0..shared.tables.len());
        let number = shared.number.fetch_add(NUMBERS, Ordering::SeqCst);
        let Some((deed, sql)) = shared.tables.get(at).and_then(|table| table.draw(random, number)) else { continue };
        if deed == Deed::Truncate && shared.is_sparing.load(Ordering::SeqCst) {
            continue;
        }
        if session.batch("SAVEPOINT one").await.is_err() {
            return End::Lost;
        }
        let (back, rows) = match execute(session, deed, &sql).await {
            Ok(rows) => (random.random_ratio(1, 12), rows),
            Err(_) if session.is_closed() => return End::Lost,
            Err(_) => {
                done.refused += 1;
                (true, 0)
            }
        };
        if back {
            if session.batch("ROLLBACK TO SAVEPOINT one").await.is_err() {
                return End::Lost;
            }
        } else {
            *done.rows_of(deed) += rows;
        }
    }
    if random.random_ratio(1, 20) {
        return if session.batch("ROLLBACK").await.is_ok() { End::RolledBack } else { End::Lost };
    }
    match session.batch("COMMIT").await {
        Ok(()) => End::Committed(done),
        // A deferred constraint.
        Err(error) if error.sqlstate().is_some() && !session.is_closed() => End::Refused,
        Err(_) => End::Lost,
    }
}

async fn execute(session: &Session, deed: Deed, sql: &str) -> Result<u64, atalaya_postgres::Error> {
    if deed == Deed::Truncate {
        return session.batch(sql).await.map(|()| 1);
    }
    session.execute(sql, &[]).await
}

impl Writes {
    fn rows_of(&mut self, deed: Deed) -> &mut u64 {
        match deed {
            Deed::Insert => &mut self.inserted,
            Deed::Update => &mut self.updated,
            Deed::Rekey => &mut self.rekeyed,
            Deed::Delete => &mut self.deleted,
            Deed::Truncate => &mut self.truncated,
        }
    }

    fn add(&mut self, other: &Self) {
        self.committed += other.committed;
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.rekeyed += other.rekeyed;
        self.deleted += other.deleted;
        self.truncated += other.truncated;
        self.refused += other.refused;
    }
}
