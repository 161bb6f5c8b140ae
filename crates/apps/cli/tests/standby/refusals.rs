//! Standbys that cannot serve are refused before anything is made on the source.

use atalaya_sandbox::{Server, ServerOptions};

use crate::support::{Move, eventually};

use super::field::{FROM_STANDBY, primary, standby_of};

fn shop(from: u16) -> Move {
    let shop = Move::with(primary(from), ServerOptions::new(18));
    shop.source.run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1), (2)").unwrap();
    shop
}

fn assert_refused(shop: &Move, code: &str, more: &[&str]) {
    let ran = shop.run("start", &[FROM_STANDBY, more].concat());
    assert_eq!(ran.code, Some(4), "{code}: {}", ran.stderr);
    assert!(ran.stderr.contains(&format!("refused ({code})")), "{code}: {}", ran.stderr);
    let made = "SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_publication)";
    assert_eq!(shop.source.run_sql("shop", made).unwrap(), "0", "{code}");
}

#[test]
fn versions_before_16_make_no_slot_on_a_standby() {
    let mut shop = shop(15);
    let _standby = standby_of(&mut shop, &[]);
    assert_refused(&shop, "standby-version", &[]);
}

#[test]
fn a_server_that_is_no_standby_of_this_database_is_refused() {
    let mut shop = shop(16);
    let url = shop.source_url.clone();
    shop.standby_url = url;
    assert_refused(&shop, "standby-not-in-recovery", &[]);
    // As a clone has: the sandbox's servers of one version share their identifiers. It is ahead in its log, too.
    let other = Server::start(primary(16)).unwrap();
    other.create_database("shop").unwrap();
    other.run_sql("shop", "CREATE TABLE item AS SELECT i AS id FROM generate_series(1, 100000) i").unwrap();
    let foreign = other.start_standby(&[]).unwrap();
    shop.standby_url = foreign.url("shop");
    assert_refused(&shop, "standby-foreign", &[]);
    shop.done("abort", &[]);
    let standby = standby_of(&mut shop, &[]);
    shop.standby_url = standby.url("postgres");
    assert_refused(&shop, "standby-foreign", &[]);
}

#[test]
fn a_standby_of_a_promoted_one_is_refused() {
    let mut shop = shop(18);
    let promoted = standby_of(&mut shop, &[("wal_keep_size", "1GB")]);
    let follower = promoted.start_standby(&[]).unwrap();
    promoted.run_sql("shop", "SELECT pg_promote(); CHECKPOINT").unwrap();
    let timeline = "SELECT coalesce(max(received_tli), 0) FROM pg_stat_wal_receiver";
    eventually("the second follows the first", || follower.run_sql("shop", timeline).unwrap() == "2");
    shop.standby_url = follower.url("shop");
    assert_refused(&shop, "standby-timeline", &[]);
}

#[test]
fn a_standby_without_logical_wal_and_a_role_that_may_not_replicate_are_refused() {
    let mut shop = shop(17);
    let _standby = standby_of(&mut shop, &[("wal_level", "replica")]);
    assert_refused(&shop, "standby-wal-level", &[]);
    let standby = standby_of(&mut shop, &[]);
    shop.source
        .run_sql("shop", "CREATE ROLE reader LOGIN PASSWORD 'reader' IN ROLE pg_read_all_data, pg_monitor")
        .unwrap();
    eventually("the role is there", || {
        standby.run_sql("shop", "SELECT count(*) FROM pg_roles WHERE rolname = 'reader'").unwrap() == "1"
    });
    shop.standby_url = format!("postgres://reader:reader@127.0.0.1:{}/shop?sslmode=disable", standby.port());
    assert_refused(&shop, "standby-role", &[]);
}

#[test]
fn a_standby_that_does_not_replay_is_refused_in_time_and_serves_once_it_does() {
    let mut shop = shop(16);
    let standby = standby_of(&mut shop, &[("hot_standby_feedback", "on")]);
    standby.run_sql("shop", "SELECT pg_wal_replay_pause()").unwrap();
    shop.source.run_sql("shop", "INSERT INTO item VALUES (3)").unwrap();
    assert_refused(&shop, "standby-behind", &["--slot-timeout", "2"]);
    let ran = shop.run("start", &[FROM_STANDBY, &["--slot-timeout", "1"]].concat());
    assert!(ran.stderr.contains("its replay is paused"), "{}", ran.stderr);
    standby.run_sql("shop", "SELECT pg_wal_replay_resume()").unwrap();
    shop.done("start", &[FROM_STANDBY, &["--stop-when", "caught-up"]].concat());
    shop.assert_equal();
}
