//! Tables without a key: rows are found by an index where there is one, and none is confused with another.

use crate::support::{Move, eventually};

#[test]
fn rows_without_a_key_go_by_an_index_that_holds_nulls_too() {
    let shop = Move::between(13, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE log (ticket bigint, line text); ALTER TABLE log REPLICA IDENTITY FULL;
             CREATE INDEX ON log (ticket);
             INSERT INTO log SELECT nullif(n % 50, 0), 'line ' || n % 3 FROM generate_series(1, 20000) n",
        )
        .unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.assert_equal();
    let seen = "SELECT idx_scan FROM pg_stat_user_tables WHERE relname = 'log'";
    let before = shop.target.run_sql("shop", seen).unwrap();
    // One and several copies of a row, with a place in the index and without; each in a transaction of its own.
    shop.source
        .run_sql(
            "shop",
            "DELETE FROM log WHERE ctid IN (SELECT ctid FROM log WHERE ticket = 7 LIMIT 5);
             DELETE FROM log WHERE ctid IN (SELECT ctid FROM log WHERE ticket IS NULL LIMIT 5);
             UPDATE log SET ticket = NULL WHERE ticket = 8; UPDATE log SET ticket = 9 WHERE ticket IS NULL;
             DELETE FROM log WHERE ticket = 10; INSERT INTO log VALUES (NULL, NULL), (NULL, ''), (11, NULL);
             DELETE FROM log WHERE ticket IS NULL AND line IS NULL",
        )
        .unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.assert_equal();
    // A backend hands its statistics in a little after its end.
    eventually("the index was used", || shop.target.run_sql("shop", seen).unwrap() != before);
}
