//! A spool that may take no more, and connections that break.

use super::field::Field;
use crate::support::{Move, eventually};

#[test]
fn a_full_spool_leaves_the_rest_on_the_source_and_even_a_transaction_larger_than_it_arrives() {
    let mut field = Field::new(Move::between(17, 18));
    let (mut run, lock) = field.copying(&["--ack-spool", "--spool-limit", "1MB"]);
    let first = field.change();
    field.wait_until_received(&mut run, first);
    let large = "INSERT INTO large SELECT 2000000 + i, repeat(md5(i::text), 30) FROM generate_series(1, 6000) i";
    field.shop.source.run_sql("shop", large).unwrap();
    let end = field.change();
    eventually("the spool is full", || {
        run.assert_alive();
        field.shop.status()["spool"]["is_full"] == true
    });
    assert!(field.confirmed() < end && field.stored("received") < end, "more is told than fits");
    let size: u64 = field.segments().iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!(size <= 1_000_000, "{size} bytes");
    assert!(run.stderr().contains("may take no more"), "{}", run.stderr());
    let text = field.shop.done("status", &[]);
    assert!(text.contains(", full;"), "{text}");
    drop(lock);
    field.shop.wait_until_following(&mut run);
    eventually("nothing depends on the spool", || field.stored("received") == 0 && field.folder().is_none());
    field.shop.done("stop", &[]);
    assert_eq!(run.wait().code, Some(0));
    field.finish(&[]);
}

#[test]
fn a_lost_connection_costs_neither_the_copy_nor_a_change() {
    let mut field = Field::new(Move::between(18, 18));
    let (mut run, lock) = field.copying(&["--ack-spool"]);
    eventually("two tables are copied", || field.shop.status()["tables_done"] == 2);
    for _ in 0..2 {
        let walsender = "SELECT count(pg_terminate_backend(active_pid)) FROM pg_replication_slots WHERE active";
        eventually("the connection is there and ended", || {
            field.shop.source.run_sql("shop", walsender).unwrap() != "0"
        });
        let end = field.change();
        field.wait_until_received(&mut run, end);
    }
    let session =
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'atalaya spool shop'";
    assert_eq!(field.shop.target.run_sql("shop", session).unwrap(), "1");
    let end = field.change();
    field.wait_until_received(&mut run, end);
    let said = run.stderr();
    assert!(said.contains("the spool's connection: try 1 after"), "{said}");
    assert!(!said.contains("\"event\":\"reconnect\""), "the copy was begun anew: {said}");
    drop(lock);
    field.shop.wait_until_following(&mut run);
    field.shop.done("stop", &[]);
    assert_eq!(run.wait().code, Some(0));
    field.finish(&[]);
}

#[test]
fn abort_removes_the_spool_and_a_move_without_one_has_none() {
    let mut field = Field::new(Move::between(13, 18));
    let (mut run, lock) = field.copying(&["--ack-spool"]);
    let end = field.change();
    field.wait_until_received(&mut run, end);
    drop(run);
    drop(lock);
    // Another target that knows nothing of it says nothing of whose it is.
    field.shop.target.create_database("other").unwrap();
    let other = field.shop.target.url("other");
    let own = std::mem::replace(&mut field.shop.target_url, other);
    field.shop.done("abort", &[]);
    assert!(field.folder().is_some());
    field.shop.target_url = own;
    field.shop.done("abort", &[]);
    assert_eq!(field.folder(), None);
    field.shop.target.run_sql("shop", "TRUNCATE large, plain, small").unwrap();
    let wrong = field.shop.run("start", &["--ack-spool", "--spool-limit", "0MB"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    let lock = field.lock();
    let mut run = field.start(&["--spool-limit", "0MB"], "");
    eventually("two tables are copied", || {
        run.assert_alive();
        let status = field.shop.run("status", &["--output", "json"]);
        status.code == Some(0) && status.stdout.contains("\"tables_done\":2")
    });
    assert_eq!((field.folder(), &field.shop.status()["spool"]), (None, &serde_json::Value::Null));
    field.change();
    drop(lock);
    drop(run);
    field.finish(&[]);
}
