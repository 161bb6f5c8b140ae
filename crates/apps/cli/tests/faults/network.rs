//! Connections that end in good order where they must not, or say nothing any more.

use atalaya_sandbox::{Fault, Proxy};

use super::connecting::assert_failed;
use crate::support::{Move, eventually};

const TABLE: &str = "CREATE TABLE item (id int PRIMARY KEY, pad text);
    INSERT INTO item SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 20000) i";
const CAUGHT_UP: &[&str] = &["--stop-when", "caught-up"];

/// A migration whose source is reached through a proxy.
fn through_proxy(fault: Fault, after_bytes: u64) -> (Move, Proxy) {
    let mut shop = Move::between(16, 18);
    shop.source.run_sql("shop", TABLE).unwrap();
    let proxy = Proxy::with_fault(shop.source.port(), fault, after_bytes).unwrap();
    shop.source_url = proxy.url(&shop.source_url);
    (shop, proxy)
}

#[test]
fn a_copy_whose_connection_is_closed_in_good_order_is_a_failure_and_not_the_end() {
    let (shop, proxy) = through_proxy(Fault::HangUp, 3 << 20);
    let ran = shop.run("start", &["--stop-when", "caught-up", "--retries", "0"]);
    assert!(proxy.has_struck(), "{}", ran.stderr);
    assert_failed(&ran, 1, "the connection ended in the middle of a copy", "start the same command again");
    assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM item").unwrap(), "0");
    assert_eq!(shop.target.run_sql("shop", "SELECT state, copied_rows FROM atalaya.tables").unwrap(), "pending|0");
    shop.done("start", CAUGHT_UP);
    shop.assert_equal();
}

#[test]
fn a_copy_whose_connection_is_closed_in_good_order_is_begun_again_by_the_same_run() {
    let (shop, proxy) = through_proxy(Fault::HangUp, 3 << 20);
    let ran = shop.run("start", CAUGHT_UP);
    assert!(proxy.has_struck(), "{}", ran.stderr);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("the copy failed on the source"), "{}", ran.stderr);
    shop.assert_equal();
}

#[test]
fn a_source_that_says_nothing_any_more_in_the_copy_is_noticed() {
    let (shop, proxy) = through_proxy(Fault::Freeze, 3 << 20);
    // The source finds out by its own clock that nobody reads the slot any more.
    shop.source.configure("wal_sender_timeout", "10s").unwrap();
    shop.source.reload();
    let ran = shop.run("start", &["--stop-when", "caught-up", "--silence-timeout", "6"]);
    assert!(proxy.has_struck(), "{}", ran.stderr);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("the source has given no answer for 6 s"), "{}", ran.stderr);
    shop.assert_equal();
}

#[test]
fn a_source_that_says_nothing_any_more_while_it_is_followed_is_noticed() {
    let (shop, proxy) = through_proxy(Fault::Freeze, u64::MAX);
    let run = shop.follow(&["--silence-timeout", "2"]);
    // The source finds out that its reader is gone by its own clock, and gives the slot free.
    shop.source.configure("wal_sender_timeout", "2s").unwrap();
    shop.source.reload();
    proxy.freeze();
    shop.source.run_sql("shop", "UPDATE item SET pad = 'changed' WHERE id <= 100").unwrap();
    let changed = "SELECT count(*) FROM item WHERE pad = 'changed'";
    eventually("the change has come", || shop.target.run_sql("shop", changed).unwrap() == "100");
    shop.done("stop", &[]);
    let ran = run.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("\"event\":\"reconnect\""), "{}", ran.stderr);
    shop.assert_equal();
}
