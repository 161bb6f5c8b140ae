//! A gateway that goes away under load, by a kill or for a successor: its clients come back, and the books are right.

use atalaya_estate::ConnectionUrl;
use atalaya_load::ledger::{Ledger, LedgerCounts, LedgerOptions, LedgerRun, LedgerSize};
use atalaya_postgres::Session;
use nix::sys::signal::Signal;
use tokio::task::block_in_place;
use tokio::time::{Duration, Instant, sleep};

use crate::gateway::{Front, PASSWORD, Serving};
use crate::support::eventually;

const CLIENTS: u32 = 6;
const LIMIT: Duration = Duration::from_secs(120);
const RESTARTS_MAX: u64 = 40;

/// How a gateway comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Killed,
    Replaced,
}

async fn until(run: &LedgerRun, what: &str, wish: impl Fn(&LedgerCounts) -> bool) {
    let end = Instant::now() + LIMIT;
    while !wish(&run.counts()) {
        assert!(Instant::now() < end, "{what}: {:?}", run.counts());
        sleep(Duration::from_millis(5)).await;
    }
}

fn restarted(front: &Front, gateway: Serving, ending: Ending) -> Serving {
    match ending {
        Ending::Killed => {
            gateway.signal(Signal::SIGKILL);
            assert_eq!(gateway.ended(), None, "it ended by a signal");
            front.serve(&[])
        }
        Ending::Replaced => {
            let next = front.serve(&["--replace"]);
            assert_eq!(gateway.ended(), Some(0));
            next
        }
    }
}

async fn books_are_right_after(endings: &[Ending], at_least: usize) {
    let front = block_in_place(|| Front::between(18, 18));
    let direct = ConnectionUrl::parse(&front.old.url("shop")).unwrap();
    let session = Session::connect(&direct, "test").await.unwrap();
    Ledger::prepare(&session, LedgerSize { accounts: 100 }).await.unwrap();
    session
        .batch("GRANT ALL ON SCHEMA ledger TO clerk; GRANT ALL ON ALL TABLES IN SCHEMA ledger TO clerk")
        .await
        .unwrap();

    let mut gateway = front.serve(&[]);
    block_in_place(|| front.wait_until_it_serves());
    let url = format!("postgres://clerk:{PASSWORD}@127.0.0.1:{}/shop?sslmode=disable", front.port);
    let options = LedgerOptions { clients: CLIENTS, ..LedgerOptions::new(ConnectionUrl::parse(&url).unwrap()) };
    let run = Ledger::start(options).await.unwrap();
    let mut restarts = 0_u64;
    // Whether a COMMIT is under way at a kill is chance, so that there are as many as it takes.
    let is_enough = |counts: LedgerCounts| counts.unknown > 0 || !endings.contains(&Ending::Killed);
    for ending in endings.iter().cycle() {
        if restarts >= u64::try_from(at_least).unwrap() && is_enough(run.counts()) {
            break;
        }
        restarts += 1;
        assert!(restarts <= RESTARTS_MAX, "no kill met a COMMIT: {:?}", run.counts());
        let before = run.counts().committed;
        until(&run, "work goes on", |counts| counts.committed >= before + 150).await;
        gateway = block_in_place(|| {
            let next = restarted(&front, gateway, *ending);
            front.wait_until_it_serves();
            eventually("all came back", || front.clients() == u64::from(CLIENTS));
            next
        });
    }
    let before = run.counts().committed;
    until(&run, "work goes on", |counts| counts.committed >= before + 150).await;
    let record = run.stop().await;
    let found = record.reconcile(&session).await.unwrap();
    assert!(found.is_clean(), "{found:?}");
    assert_eq!(found.committed, record.counts.committed);
    assert_eq!(record.counts.gave_up, 0, "{:?}", record.errors());
    drop(gateway);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_killed_loses_nothing_that_was_acknowledged_and_doubles_nothing() {
    books_are_right_after(&[Ending::Killed], 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_replaced_loses_nothing_that_was_acknowledged_and_doubles_nothing() {
    books_are_right_after(&[Ending::Replaced], 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_that_are_killed_and_replaced_in_turn_keep_the_books_right() {
    books_are_right_after(&[Ending::Replaced, Ending::Killed], 4).await;
}
