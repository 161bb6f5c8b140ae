//! The end of a move.

use crate::support::Move;

#[test]
fn finish_ends_the_run_that_follows_and_loses_nothing_of_it() {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item SELECT generate_series(1, 1000)")
        .unwrap();
    let running = shop.follow(&[]);
    shop.source.run_sql("shop", "INSERT INTO item SELECT generate_series(1001, 20000)").unwrap();
    shop.done("finish", &[]);
    let ended = running.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("stopped"), "{}", ended.stdout);
    shop.assert_equal();
    assert_eq!(shop.source.run_sql("shop", "SELECT count(*) FROM pg_replication_slots").unwrap().trim(), "0");
}
