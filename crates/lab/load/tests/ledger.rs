//! Runs on servers that work, that die, and that are exchanged.

use std::collections::BTreeSet;
use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_load::Error;
use atalaya_load::ledger::{Ledger, LedgerOptions};
use atalaya_load::shop::{ShopSize, create};
use atalaya_postgres::Session;
use atalaya_sandbox::ServerOptions;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use crate::lab::{LIMIT, Lab, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_in_the_shop_reconciles_on_the_oldest_and_the_newest_version() {
    for major in [13, 18] {
        let lab = Lab::with_ledger(ServerOptions::new(major)).await;
        create(&lab.session, ShopSize::of_bytes(10 << 20)).await.unwrap();
        let run = Ledger::start(LedgerOptions { shop: true, ..lab.options() }).await.unwrap();
        until(&run, |counts| counts.committed >= 3_000).await;
        let record = run.stop().await;
        let found = record.reconcile(&lab.session).await.unwrap();
        assert!(found.is_clean(), "{found:?}");
        assert_eq!(found.committed, record.counts.committed);
        assert_eq!(found.unknown, 0);
        assert!(record.counts.rolled_back > 0, "{:?}", record.counts);
        // Deadlocks can happen; wrong statements must not.
        let errors: BTreeSet<String> = record.errors().into_keys().collect();
        assert!(errors.is_subset(&BTreeSet::from(["40P01".to_owned()])), "{errors:?}");
        let kinds = lab.number("SELECT count(DISTINCT kind) FROM ledger.transfer").await;
        assert!(kinds >= 17, "{kinds}");
        let moved = "SELECT count(*) FROM shop.price_history WHERE source = 'ledger' AND valid_from >= '2026-01-01'";
        assert!(lab.number(moved).await > 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_keeps_its_rate() {
    let lab = Lab::with_ledger(ServerOptions::new(15)).await;
    let run = Ledger::start(LedgerOptions { rate: Some(100), ..lab.options() }).await.unwrap();
    until(&run, |counts| counts.committed + counts.rolled_back >= 200).await;
    let record = run.stop().await;
    let all = record.counts.committed + record.counts.rolled_back;
    // Not more than the rate, but for one a client at the start; how much less is the machine's affair.
    assert!(all <= 100 * record.counts.elapsed_ms / 1_000 + 8, "{:?}", record.counts);
    // Each commit has its place in time.
    let placed: u64 = record.timeline.committed.iter().copied().map(u64::from).sum();
    assert_eq!(placed, record.counts.committed);
    let longest = record.timeline.longest_us.iter().max().copied().map(u64::from);
    assert!(longest >= Some(record.counts.latency_max_us), "{longest:?} {:?}", record.counts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_leaves_at_most_unknown_outcomes_and_the_run_goes_on() {
    let mut lab = Lab::with_ledger(ServerOptions::new(18).durable()).await;
    let run = Ledger::start(lab.options()).await.unwrap();
    let mut kills = 0;
    // Whether a COMMIT is under way at a kill is chance, so that there are as many as it takes.
    while kills < 3 || run.counts().unknown == 0 {
        kills += 1;
        assert!(kills <= 30, "no kill of the server met a COMMIT: {:?}", run.counts());
        let before = run.counts().committed;
        until(&run, |counts| counts.committed >= before + 200).await;
        block_in_place(|| {
            lab.server.kill().unwrap();
            lab.server.start_again().unwrap();
        });
        until(&run, |counts| counts.reconnects >= kills * 4).await;
    }
    let before = run.counts().committed;
    until(&run, |counts| counts.committed >= before + 200).await;
    let record = run.stop().await;
    let session = Session::connect(&lab.url, "test").await.unwrap();
    let found = record.reconcile(&session).await.unwrap();
    assert!(found.is_clean(), "{found:?}");
    assert!(found.unknown > 0, "{:?}", record.errors());
    assert_eq!(record.counts.gave_up, 0);
    assert!(record.counts.pause_max_us > 10_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_give_up_when_the_server_stays_away_too_long() {
    let mut lab = Lab::with_ledger(ServerOptions::new(18)).await;
    let run = Ledger::start(LedgerOptions { outage_max: Duration::from_millis(200), ..lab.options() }).await.unwrap();
    until(&run, |counts| counts.committed >= 50).await;
    block_in_place(|| lab.server.kill().unwrap());
    until(&run, |counts| counts.gave_up == 4).await;
    let record = run.stop().await;
    assert!(record.committed() >= 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repointed_clients_work_on_the_other_url() {
    let lab = Lab::with_ledger(ServerOptions::new(16)).await;
    let superuser = ConnectionUrl::parse(&lab.server.url("shop")).unwrap();
    let watching = Session::connect(&superuser, "test").await.unwrap();
    let run = Ledger::start(lab.options()).await.unwrap();
    until(&run, |counts| counts.committed >= 100).await;
    run.repoint(superuser);
    until(&run, |counts| counts.reconnects == 4).await;
    until_gone(&watching, "owner").await;
    let before = run.counts().committed;
    until(&run, |counts| counts.committed >= before + 100).await;
    let found = run.stop().await.reconcile(&lab.session).await.unwrap();
    assert!(found.is_clean() && found.unknown == 0, "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_run_ends_its_clients() {
    let lab = Lab::with_ledger(ServerOptions::new(14)).await;
    let run = Ledger::start(lab.options()).await.unwrap();
    until(&run, |counts| counts.committed >= 20).await;
    drop(run);
    let watching = Session::connect(&lab.url, "test").await.unwrap();
    until_gone(&watching, "owner").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_or_wrong_is_said_before_a_client_starts() {
    let lab = Lab::start(ServerOptions::new(17)).await;
    let start = async |options: LedgerOptions| Ledger::start(options).await.err().unwrap().to_string();
    assert_eq!(start(lab.options()).await, "the database has no table `ledger.transfer`");
    let lab = Lab::with_ledger(ServerOptions::new(17)).await;
    let shop = LedgerOptions { shop: true, ..lab.options() };
    assert_eq!(start(shop).await, "the database has no table `shop.customer`");
    let none = LedgerOptions { clients: 0, ..lab.options() };
    assert_eq!(start(none).await, "`clients` must be 1 to 1,024");
    let still = LedgerOptions { rate: Some(0), ..lab.options() };
    assert!(matches!(Ledger::start(still).await, Err(Error::Option { option: "rate", .. })));
}

/// Waits until the server has no client of a user's left: a connection's end is news to it.
async fn until_gone(session: &Session, user: &str) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'atalaya ledger' AND usename = $1";
    let end = Instant::now() + LIMIT;
    while session.query_one(sql, &[&user]).await.unwrap().get::<_, i64>(0) > 0 {
        assert!(Instant::now() < end, "clients of {user} are still connected");
        sleep(Duration::from_millis(5)).await;
    }
}
