//! Prepared transactions: nothing of them arrives before they are committed, however often anything is restarted.

use atalaya_sandbox::StopMode;

use super::{between, count, streamed};
use crate::support::{Move, eventually};

const PREPARED: &str = "
BEGIN; INSERT INTO item SELECT i, 'large' FROM generate_series(1, 3000) i;
SAVEPOINT s; UPDATE item SET v = 'rolled back'; ROLLBACK TO s; PREPARE TRANSACTION 'large';
BEGIN; INSERT INTO item VALUES (4000, 'small'); PREPARE TRANSACTION 'small';
BEGIN; INSERT INTO item SELECT i, 'never' FROM generate_series(5001, 8000) i; PREPARE TRANSACTION 'large, rolled back';
BEGIN; INSERT INTO item VALUES (9000, 'never'); PREPARE TRANSACTION 'small, rolled back';
INSERT INTO other VALUES (1);
";

fn held_over_restarts(mut shop: Move) {
    shop.source
        .run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY, v text); CREATE TABLE other (id int PRIMARY KEY)")
        .unwrap();
    let running = shop.follow(&[]);
    shop.source.run_sql("shop", PREPARED).unwrap();
    eventually("what came after them", || count(&shop, "other") == 1);
    if shop.source.version() >= 14 {
        assert!(streamed(&shop) > 0, "what was to be sent early was not");
    }
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.source.stop(StopMode::Fast).unwrap();
    shop.source.start_again().unwrap();
    let mut running = shop.follow(&[]);
    shop.source.run_sql("shop", "INSERT INTO other VALUES (2)").unwrap();
    eventually("what came after the restart", || count(&shop, "other") == 2);
    assert_eq!(count(&shop, "item"), 0, "what is only prepared is on the target");
    for end in
        ["COMMIT PREPARED 'large'", "ROLLBACK PREPARED 'large, rolled back'", "ROLLBACK PREPARED 'small, rolled back'"]
    {
        shop.source.run_sql("shop", end).unwrap();
    }
    // The source goes away with it committed and not yet told, and with the last one still prepared.
    shop.source.stop(StopMode::Immediate).unwrap();
    shop.source.start_again().unwrap();
    shop.source.run_sql("shop", "COMMIT PREPARED 'small'; ").unwrap();
    eventually("both", || {
        running.assert_alive();
        count(&shop, "item") == 3001
    });
    shop.assert_equal();
    shop.done("finish", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.assert_equal();
}

#[test]
fn from_13_prepared_transactions_arrive_when_they_are_committed_and_never_when_rolled_back() {
    held_over_restarts(between(13, 18));
}

#[test]
fn from_16_prepared_transactions_that_were_sent_before_arrive_when_they_are_committed() {
    held_over_restarts(between(16, 17));
}
