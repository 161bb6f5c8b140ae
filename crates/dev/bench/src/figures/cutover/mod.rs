//! Clients of a ledger through a gateway, led from 15 to 18 and back again and again while they work, as an operator does
//! it: by `migrate cutover` and `migrate rollback`. What each command reports is the pause; what the ledger's clients were
//! told, beside what both servers hold in the end, is whether anything was lost or doubled. Then some that fail: how
//! long clients wait until they are served again where they were.

mod clients;
mod failing;
mod flips;
mod front;

use atalaya_estate::ConnectionUrl;
use atalaya_load::ledger::{LedgerCounts, LedgerRecord};
use atalaya_postgres::Session;
use atalaya_sandbox::Server;
use tokio::runtime::Runtime;

use self::flips::Flips;
use self::front::Front;
use super::Size;
use crate::error::Error;
use crate::lab::{DATABASE, Lab, MAJOR};
use crate::report::{Figure, Goal, Measured};

/// The version of the server that clients are led to.
pub(super) const TARGET_MAJOR: u16 = 18;
/// A server that clients work on for minutes is vacuumed.
pub(super) const SETTINGS: [(&str, &str); 1] = [("autovacuum", "on")];

const CLIENTS: u32 = 50;
/// Two in a hundred are rolled back on purpose, so 1,000 commit.
const RATE: u32 = 1020;
/// Clients that do less are not what the pauses are promised under.
const RATE_LEAST: f64 = 990.0;
const ACCOUNTS: u32 = 100_000;

pub(super) fn measure(lab: &Lab, size: &Size) -> Result<Vec<Figure>, Error> {
    let failed = |source| Error::Run { program: "tokio".to_owned(), source };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(failed)?;
    let front = Front::start(lab, &runtime)?;
    let run = front.start_clients(&runtime)?;
    let flips = Flips::make(&front, &run, size.flips);
    let record = runtime.block_on(run.stop());
    let flips = flips?;
    prove(&front, &runtime, &record)?;
    let mut all = figures(&flips, &record);

    let run = front.start_clients(&runtime)?;
    let failing = failing::make(&front, &runtime, &run);
    let record = runtime.block_on(run.stop());
    let failing = failing?;
    prove(&front, &runtime, &record)?;
    all.extend(figures_of_failing(failing, &record.counts));
    Ok(all)
}

/// Every row, and every transaction of the run, on both sides.
fn prove(front: &Front<'_>, runtime: &Runtime, record: &LedgerRecord) -> Result<(), Error> {
    front.prove()?;
    [&front.lab().source, &front.lab().target].into_iter().try_for_each(|server| reconcile(runtime, record, server))
}

/// Each transaction that a client was told of is there once, and no other one.
fn reconcile(runtime: &Runtime, record: &LedgerRecord, server: &Server) -> Result<(), Error> {
    let found = runtime.block_on(async {
        let url = ConnectionUrl::parse(&server.url(DATABASE)).map_err(Error::ledger)?;
        let session = Session::connect(&url, "bench").await.map_err(Error::ledger)?;
        record.reconcile(&session).await.map_err(Error::ledger)
    })?;
    if found.is_clean() {
        return Ok(());
    }
    Err(Error::OtherWork(format!(
        "{} holds something else than clients were told: {} missing, {} doubled, {} that nobody committed, \
         {} accounts wrong",
        server.version(),
        found.missing,
        found.duplicate,
        found.ghosts,
        found.accounts_wrong
    )))
}

/// Transactions that did not end as the client wanted, of all.
fn failed_of(counts: &LedgerCounts) -> (u64, u64) {
    let failed = counts.failed + counts.unknown;
    (failed, counts.committed + counts.rolled_back + failed)
}

/// The pause is what clients saw of it, since a command that is broken off reports none.
fn figures_of_failing(failing: usize, counts: &LedgerCounts) -> [Figure; 2] {
    let (failed, all) = failed_of(counts);
    let what = format!(
        "{failing} cutovers from {MAJOR} that fail, with --max-pause at its default of 2 s, under {:.0} ledger \
         transactions/s of {CLIENTS} clients: a transaction never ends, superusers write past the gateway, the \
         coordinator is killed behind the fence; the ledger reconciled on both",
        all as f64 / (counts.elapsed_ms as f64 / 1000.0)
    );
    let milliseconds = counts.pause_max_us as f64 / 1000.0;
    let which = "the longest time without a commit";
    let gap = Measured::Pause { which, milliseconds, of: failing, stages: Vec::new() };
    let count = Measured::Count { count: failed, of: all, things: "transactions failed" };
    [
        Figure { id: "cutover-failing-failed", what: what.clone(), measured: count, goal: Goal::Zero },
        Figure { id: "cutover-failing-gap", what, measured: gap, goal: Goal::MillisecondsAtMost(2000.0) },
    ]
}

fn figures(flips: &Flips, record: &LedgerRecord) -> Vec<Figure> {
    let (counts, pauses) = (&record.counts, flips.pauses());
    let (failed, all) = failed_of(counts);
    let seconds = counts.elapsed_ms as f64 / 1000.0;
    let what = format!(
        "{} flips between {MAJOR} and {TARGET_MAJOR}, there and back, under {:.0} ledger transactions/s of {CLIENTS} clients \
         through one gateway; the ledger reconciled on both",
        pauses.len(),
        all as f64 / seconds
    );
    let pause = |id, which, milliseconds, goal, stages| Figure {
        id,
        what: what.clone(),
        measured: Measured::Pause { which, milliseconds, of: pauses.len(), stages },
        goal,
    };
    let count = |id, count, of, things, goal| Figure {
        id,
        what: what.clone(),
        measured: Measured::Count { count, of, things },
        goal,
    };
    let (gap, longest) = (counts.pause_max_us as f64 / 1000.0, counts.latency_max_us as f64 / 1000.0);
    let rate = Figure {
        id: "cutover-rate",
        what: what.clone(),
        measured: Measured::Rate { count: all, seconds },
        goal: Goal::PerSecondAtLeast(RATE_LEAST),
    };
    vec![
        rate,
        count("cutover-failed", failed, all, "transactions failed", Goal::Zero),
        count(
            "cutover-broken-off",
            flips.broken_off,
            flips.broken_off + pauses.len() as u64,
            "flips were broken off, with clients where they were",
            Goal::Zero,
        ),
        pause("cutover-p50", "the median", flips.percentile(50), Goal::MillisecondsAtMost(50.0), flips.stages()),
        pause("cutover-p99", "the 99th percentile", flips.percentile(99), Goal::MillisecondsAtMost(150.0), Vec::new()),
        pause("cutover-worst", "the longest", flips.percentile(100), Goal::MillisecondsUnder(500.0), Vec::new()),
        pause("cutover-gap", "the longest time without a commit", gap, Goal::None, Vec::new()),
        pause("cutover-latency", "the longest time from BEGIN to COMMIT", longest, Goal::None, Vec::new()),
    ]
}
