//! A database in which nothing happens, on a server where much does: its slot must not keep the server's log.

use crate::support::{Move, eventually};

/// Some 40 MB of log of another database.
const WRITE: &str = "CREATE TABLE busy (id bigserial PRIMARY KEY, pad text);
                     INSERT INTO busy (pad) SELECT repeat(md5(i::text), 40) FROM generate_series(1, 25000) i";

fn lets_go_of_the_log(from: u16) {
    let shop = Move::between(from, 18);
    shop.source.run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1)").unwrap();
    shop.source.create_database("other").unwrap();
    let mut running = shop.follow(&[]);
    shop.source.run_sql("other", WRITE).unwrap();
    let written = shop.source.run_sql("other", "SELECT pg_current_wal_lsn()").unwrap();
    let kept = format!(
        "SELECT restart_lsn >= '{written}' AND confirmed_flush_lsn >= '{written}' FROM pg_replication_slots
          WHERE slot_name LIKE 'atalaya_shop_%'"
    );
    eventually("the slot has moved on", || {
        running.assert_alive();
        // Where a slot can restart is written down with each checkpoint.
        shop.source.run_sql("other", "CHECKPOINT").unwrap();
        shop.source.run_sql("other", &kept).unwrap() == "t"
    });
    let status = shop.status();
    assert_eq!(status["changes"], 0, "{status}");
    assert!(status["slot"]["retained_bytes"].as_i64().unwrap() < 20_000_000, "{status}");
    // What the database itself says afterwards is followed from there.
    shop.source.run_sql("shop", "INSERT INTO item VALUES (2)").unwrap();
    eventually("the change arrives", || shop.target.run_sql("shop", "SELECT count(*) FROM item").unwrap() == "2");
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
}

#[test]
fn an_idle_database_beside_a_busy_one_keeps_no_log_of_13() {
    lets_go_of_the_log(13);
}

#[test]
fn an_idle_database_beside_a_busy_one_keeps_no_log_of_18() {
    lets_go_of_the_log(18);
}
