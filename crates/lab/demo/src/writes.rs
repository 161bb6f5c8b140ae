//! The clients that write during the whole move, and what they came to.

use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_load::ledger::{Ledger, LedgerCounts, LedgerOptions, LedgerRun, LedgerSize};
use atalaya_load::shop::{ShopSize, create_with_progress};
use atalaya_postgres::Session;
use atalaya_verbs::{Event, Narrator, number};

use crate::report::{Afterwards, Shop, Writes};
use crate::{Error, Options, Stage};

/// Accounts of the ledger; many, so that clients seldom wait for each other's locks.
const ACCOUNTS: u32 = 10_000;
/// How long the clients take to connect and prepare their statements, on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Enough to draw from every sequence many times.
const COMMITS_AFTERWARDS: u64 = 1_000;
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Fills the source with the shop and the ledger's tables, and counts them.
pub(crate) async fn fill(options: &Options, stage: &Stage, narrator: &dyn Narrator) -> Result<Shop, Error> {
    let session = Session::connect(&stage.source_url, "atalaya demo").await?;
    let totals = create_with_progress(&session, ShopSize::of_bytes(options.bytes), |progress| {
        narrator.tell(&Event::Progress {
            what: if progress.total > 1 { format!("rows of {}", progress.stage) } else { progress.stage.to_owned() },
            done: progress.done,
            all: progress.total,
            bytes: false,
        });
    })
    .await?;
    Ledger::prepare(&session, LedgerSize { accounts: ACCOUNTS }).await?;
    // As autovacuum leaves a database that has been there for a while.
    session.batch("ANALYZE").await?;
    let row = session
        .query_one(
            "SELECT count(*), coalesce(sum(pg_catalog.pg_total_relation_size(c.oid)), 0)::int8
               FROM pg_catalog.pg_class c WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind = 'r'",
            &[],
        )
        .await?;
    let number = |column: usize| u64::try_from(row.get::<_, i64>(column)).unwrap_or_default();
    Ok(Shop {
        tables: totals.tables + number(0),
        rows: totals.rows + u64::from(ACCOUNTS),
        bytes: totals.bytes + number(1),
    })
}

/// Starts the clients, and waits until they have committed so much.
pub(crate) async fn start(options: &Options, url: &ConnectionUrl, commits: u64) -> Result<LedgerRun, Error> {
    let run = Ledger::start(LedgerOptions {
        clients: options.clients,
        rate: Some(options.rate),
        shop: true,
        ..LedgerOptions::new(url.clone())
    })
    .await?;
    let committing = async {
        while run.counts().committed < commits {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(START_LIMIT, committing).await.map_err(|_| Error::Ended)?;
    Ok(run)
}

/// Lets the clients work on the new server for a while, as the application would from now on.
pub(crate) async fn go_on(options: &Options, url: &ConnectionUrl, target: &Session) -> Result<Afterwards, Error> {
    let record = start(options, url, COMMITS_AFTERWARDS).await?.stop().await;
    let mut errors = record.errors();
    // Clients of a busy shop meet in a deadlock now and then, on any server.
    errors.remove("40P01");
    let reconciled = record.reconcile(target).await?.is_clean();
    Ok(Afterwards { committed: record.committed(), errors, reconciled })
}

/// Does something while the clients write, and tells every second how fast they do.
pub(crate) async fn telling<T>(run: &LedgerRun, narrator: &dyn Narrator, work: impl Future<Output = T>) -> T {
    let ticking = async {
        loop {
            tokio::time::sleep(TELL_EVERY).await;
            let counts = run.counts();
            narrator.tell(&Event::Writes { committed: counts.committed, per_second: counts.per_second });
        }
    };
    tokio::select! {
        done = work => done,
        never = ticking => never,
    }
}

/// What the clients did.
pub(crate) fn summary(options: &Options, counts: &LedgerCounts) -> Writes {
    let seconds = number(counts.elapsed_ms) / 1e3;
    Writes {
        rate: options.rate,
        clients: options.clients,
        seconds,
        committed: counts.committed,
        rolled_back: counts.rolled_back,
        failed: counts.failed,
        unknown: counts.unknown,
        per_second_mean: number(counts.committed) / seconds.max(0.001),
        per_second_min: counts.per_second_min,
        latency_p99_ms: number(counts.latency_p99_us) / 1e3,
        pause_max_ms: number(counts.pause_max_us) / 1e3,
    }
}
