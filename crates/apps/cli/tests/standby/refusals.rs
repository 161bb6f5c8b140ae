//! Standbys that cannot serve are refused before anything is made on the source: by the assessment, which says so before a
//! move begins, and by a start that goes on.

use atalaya_sandbox::{Server, ServerOptions};

use crate::support::{Move, eventually, ran};

use super::field::{FROM_STANDBY, primary, standby_of};

fn shop(from: u16) -> Move {
    let shop = Move::with(primary(from), ServerOptions::new(18));
    shop.source.run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1), (2)").unwrap();
    shop
}

fn start(shop: &Move, more: &[&str], seen: &str) -> String {
    let ran = shop.run("start", &[FROM_STANDBY, more].concat());
    assert_eq!(ran.code, Some(4), "{seen}: {}", ran.stderr);
    assert!(ran.stderr.contains(seen), "{seen}: {}", ran.stderr);
    let made = "SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_publication)";
    assert_eq!(shop.source.run_sql("shop", made).unwrap(), "0", "{seen}");
    ran.stderr
}

/// What `assess` says of the standby, by check.
fn assessed(shop: &Move) -> serde_json::Value {
    let words = ["assess", "--source", "env:SOURCE_URL", "--target", "env:TARGET_URL", "--output", "json"];
    let ran = ran(&mut shop.command(&[&words[..], FROM_STANDBY].concat()));
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["forbids_move"], ran.code == Some(4), "{}", ran.stderr);
    assert_eq!(report["standby"]["side"], "standby");
    let checks = report["checks"].as_array().unwrap().iter();
    checks.map(|check| (check["id"].as_str().unwrap().to_owned(), check.clone())).collect()
}

/// Before anything is made, and where a start has begun already and goes on with this standby.
fn assert_refused(shop: &Move, seen: &str, code: &str) {
    let check = &assessed(shop)["standby"];
    assert_eq!(check["status"], "fail", "{check}");
    assert!(check["findings"].to_string().contains(seen), "{check}");
    let refusal = start(shop, &[], seen);
    assert!(refusal.contains("the assessment forbids the move"), "{refusal}");
    let untouched = "SELECT count(*) FROM pg_namespace WHERE nspname = 'atalaya'";
    assert_eq!(shop.target.run_sql("shop", untouched).unwrap(), "0", "{seen}");
    begin(shop);
    start(shop, &[], &format!("refused ({code})"));
    shop.done("abort", &[]);
}

/// Writes the migration down and ends.
fn begin(shop: &Move) {
    let begun = shop.spawn_with("start", &[], &[("ATALAYA_FAILPOINT", "migration-written")]).wait();
    assert_eq!(begun.signal, Some(9), "{}", begun.stderr);
}

#[test]
fn versions_before_16_make_no_slot_on_a_standby() {
    let mut shop = shop(15);
    let _standby = standby_of(&mut shop, &[]);
    assert_refused(&shop, "the standby is PostgreSQL 15", "standby-version");
}

#[test]
fn a_server_that_is_no_standby_of_this_database_is_refused() {
    let mut shop = shop(16);
    let url = shop.source_url.clone();
    shop.standby_url = url;
    assert_refused(&shop, "is no standby", "standby-not-in-recovery");
    // As a clone has: the sandbox's servers of one version share their identifiers. It is ahead in its log, too.
    let other = Server::start(primary(16)).unwrap();
    other.create_database("shop").unwrap();
    other.run_sql("shop", "CREATE TABLE item AS SELECT i AS id FROM generate_series(1, 100000) i").unwrap();
    let foreign = other.start_standby(&[]).unwrap();
    shop.standby_url = foreign.url("shop");
    // Its identifiers are the source's; what is made on the source for the move tells both apart.
    start(&shop, &[], "refused (standby-foreign)");
    shop.done("abort", &[]);
    let standby = standby_of(&mut shop, &[]);
    shop.standby_url = standby.url("postgres");
    assert_refused(&shop, "the URL names another database", "standby-foreign");
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
    assert_refused(&shop, "the standby follows timeline 2", "standby-timeline");
}

#[test]
fn a_standby_without_logical_wal_and_a_role_that_may_not_replicate_are_refused() {
    let mut shop = shop(17);
    let _standby = standby_of(&mut shop, &[("wal_level", "replica")]);
    assert_refused(&shop, "wal_level of the standby is `replica`", "standby-wal-level");
    let standby = standby_of(&mut shop, &[]);
    shop.source
        .run_sql("shop", "CREATE ROLE reader LOGIN PASSWORD 'reader' IN ROLE pg_read_all_data, pg_monitor")
        .unwrap();
    eventually("the role is there", || {
        standby.run_sql("shop", "SELECT count(*) FROM pg_roles WHERE rolname = 'reader'").unwrap() == "1"
    });
    shop.standby_url = format!("postgres://reader:reader@127.0.0.1:{}/shop?sslmode=disable", standby.port());
    assert_refused(&shop, "the role `reader` may not make a slot", "standby-role");
}

#[test]
fn a_standby_that_does_not_replay_is_refused_in_time_and_serves_once_it_does() {
    let mut shop = shop(16);
    let standby = standby_of(&mut shop, &[("hot_standby_feedback", "on")]);
    standby.run_sql("shop", "SELECT pg_wal_replay_pause()").unwrap();
    shop.source.run_sql("shop", "INSERT INTO item VALUES (3)").unwrap();
    start(&shop, &[], "standby-lag: standby: its replay is paused");
    begin(&shop);
    let refusal = start(&shop, &["--slot-timeout", "1"], "refused (standby-behind)");
    assert!(refusal.contains("its replay is paused"), "{refusal}");
    standby.run_sql("shop", "SELECT pg_wal_replay_resume()").unwrap();
    shop.done("start", &[FROM_STANDBY, &["--stop-when", "caught-up"]].concat());
    shop.assert_equal();
}
