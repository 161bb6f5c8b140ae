//! What the pause is for: a row differs with both sides at rest, or nobody brings what is left; clients stay then.

use atalaya_postgres::Session;
use tokio::sync::watch;

use super::front::Front;
use crate::support::{Move, eventually};

const TABLES: &str = "CREATE TABLE ledger.noted (id int PRIMARY KEY, said text); GRANT ALL ON ledger.noted TO clerk";

/// Writes one row after the other through the gateway, for as long as it is let.
async fn write(session: Session, told: watch::Sender<i32>) -> String {
    for id in 1.. {
        let insert = format!("INSERT INTO ledger.noted VALUES ({id}, 'noted')");
        if let Err(error) = session.batch(&insert).await {
            return format!("{error:?}");
        }
        told.send_replace(id);
    }
    String::new()
}

/// Makes the last row another one on the new server alone: as the move's own, so that it does not come back.
fn plant(front: &Front) -> String {
    let last = front.shop.target.run_sql("shop", "SELECT max(id) FROM ledger.noted").unwrap();
    let sql = format!(
        "BEGIN; SET LOCAL session_replication_role = replica;
         UPDATE atalaya.progress SET marker = marker + 1 WHERE migration = 'shop-to-18' AND writer = 0;
         UPDATE ledger.noted SET said = 'planted' WHERE id = {last}; COMMIT"
    );
    front.shop.target.run_sql("shop", &sql).unwrap();
    last
}

#[test]
fn a_row_that_differs_at_rest_keeps_clients_where_they_are_until_it_is_mended() {
    let front = Front::before(Move::between(13, 18), &[], TABLES);
    let run = front.start_clients("shop");
    let (told, written) = watch::channel(0);
    let writing = front.runtime.spawn(write(front.client("shop"), told));
    eventually("it writes", || *written.borrow() > 20);

    // Everything is applied, and nothing was proven yet.
    let halted = front.halted("cutover-marked");
    let last = plant(&front);
    halted.go_on();
    let refused = halted.wait();
    front.assert_broken_off(&refused, 3, &["both sides differ: ledger.noted", "`--repair` mends them"], "shop");
    assert!(!refused.stderr.contains("planted"), "{}", refused.stderr);
    assert!(front.version("shop").starts_with("13.") && front.serving("shop") == "source");
    assert!(front.is_let_in("clerk", &front.shop.source));
    let before = *written.borrow();
    eventually("it goes on", || *written.borrow() > before + 20);
    front.until_committed(&run, 20);

    // It is found again before anybody is held, however often.
    let found = front.lead("cutover", &[]);
    let says = ["a proof of what was written since the last one is not clean", "atalaya validate"];
    front.assert_broken_off(&found, 1, &says, "shop");
    let repaired = front.ask(&["validate", "shop-to-18", "--repair"]);
    assert_eq!(repaired.code, Some(0), "{}\n{}", repaired.stdout, repaired.stderr);
    let mended = format!("SELECT said FROM ledger.noted WHERE id = {last}");
    assert_eq!(front.shop.target.run_sql("shop", &mended).unwrap(), "noted");
    front.led(&["migrate", "cutover", "shop-to-18"]);
    assert!(front.version("shop").starts_with("18."));
    let before = *written.borrow();
    eventually("it goes on", || *written.borrow() > before + 20);
    assert!(!writing.is_finished(), "{:?}", front.runtime.block_on(writing));
    writing.abort();

    let record = front.runtime.block_on(run.stop());
    assert!(record.errors().is_empty() && record.counts.failed == 0, "{:?}", record.errors());
    front.reconcile(&record, &front.shop.target, "shop");
    let count = "SELECT count(*) FROM ledger.noted";
    assert!(front.shop.target.run_sql("shop", count).unwrap().parse::<i32>().unwrap() >= *written.borrow());
    front.assert_equal();
}

#[test]
fn a_run_that_is_killed_in_the_pause_leads_nobody_away_and_loses_nothing() {
    let mut front = Front::before(Move::between(13, 18), &[], TABLES);
    let run = front.start_clients("shop");
    front.until_committed(&run, 20);
    let halted = front.halted("cutover-fenced");
    front.kill_runs();
    halted.go_on();
    front.assert_broken_off(&halted.wait(), 1, &["marker was not done within", "clients are where they were"], "shop");
    assert!(front.version("shop").starts_with("13.") && front.is_let_in("clerk", &front.shop.source));
    front.until_committed(&run, 20);
    let refused = front.lead("cutover", &[]);
    front.assert_broken_off(&refused, 4, &["replication", "`atalaya migrate start` goes on"], "shop");

    front.run_again();
    front.led(&["migrate", "cutover", "shop-to-18"]);
    front.until_committed(&run, 20);
    let record = front.runtime.block_on(run.stop());
    assert!(record.errors().is_empty() && record.counts.failed == 0, "{:?}", record.errors());
    front.reconcile(&record, &front.shop.target, "shop");
    front.assert_equal();
    front.reconcile(&record, &front.shop.source, "shop");
}
