//! Stop, abort, resume, and what is refused.

use crate::support::{Move, eventually};

const TABLE: &str = "CREATE TABLE item (id int PRIMARY KEY, what text);
    INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 1000) n;";

#[test]
fn stop_drains_keeps_the_slot_and_start_goes_on() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", TABLE).unwrap();
    let running = shop.follow(&[]);
    shop.source.run_sql("shop", "UPDATE item SET what = 'changed' WHERE id <= 500").unwrap();
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.assert_equal();
    assert_eq!(shop.status()["slot"]["exists"], true);
    shop.source.run_sql("shop", "DELETE FROM item WHERE id > 900").unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.assert_equal();
}

#[test]
fn a_second_run_of_one_migration_is_refused() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", TABLE).unwrap();
    let _running = shop.spawn("start", &[]);
    eventually("running", || shop.run("status", &["--output", "json"]).stdout.contains("\"running\":true"));
    let second = shop.run("start", &[]);
    assert_eq!(second.code, Some(4), "{}", second.stderr);
    assert!(second.stderr.contains("is running already"), "{}", second.stderr);
}

#[test]
fn abort_removes_what_is_ours_from_both_sides_and_can_be_repeated() {
    let shop = Move::between(13, 18);
    shop.source.run_sql("shop", TABLE).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.done("abort", &[]);
    shop.done("abort", &[]);
    let left = "SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_publication)";
    assert_eq!(shop.source.run_sql("shop", left).unwrap().trim(), "0");
    let rows = "SELECT count(*) FROM item";
    assert_eq!(shop.target.run_sql("shop", rows).unwrap().trim(), "1000");
    shop.target.run_sql("shop", "DROP TABLE item").unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.done("abort", &["--drop-target"]);
    let tables = "SELECT count(*) FROM pg_class WHERE relname = 'item'";
    assert_eq!(shop.target.run_sql("shop", tables).unwrap().trim(), "0");
}

#[test]
fn a_slot_that_was_dropped_and_made_again_is_refused() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", TABLE).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    let slot = shop.status()["slot"]["name"].as_str().unwrap().to_owned();
    shop.source.run_sql("shop", &format!("SELECT pg_drop_replication_slot('{slot}')")).unwrap();
    let gone = shop.run("start", &["--stop-when", "caught-up"]);
    assert_eq!(gone.code, Some(4), "{}", gone.stderr);
    assert!(gone.stderr.contains("is gone from the source"), "{}", gone.stderr);
    shop.source.run_sql("shop", "UPDATE item SET what = 'lost'").unwrap();
    shop.source.run_sql("shop", &format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")).unwrap();
    let ahead = shop.run("start", &["--stop-when", "caught-up"]);
    assert_eq!(ahead.code, Some(4), "{}", ahead.stderr);
    assert!(ahead.stderr.contains("was confirmed up to"), "{}", ahead.stderr);
}

#[test]
fn a_target_that_is_not_empty_is_refused() {
    let shop = Move::between(15, 15);
    shop.source.run_sql("shop", TABLE).unwrap();
    shop.target.run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY, what text)").unwrap();
    let ran = shop.run("start", &["--stop-when", "caught-up"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("target-empty: the target has tables"), "{}", ran.stderr);
    shop.done("start", &["--stop-when", "caught-up", "--existing-schema"]);
    shop.assert_equal();
}

#[test]
fn a_pattern_that_matches_nothing_is_refused() {
    let shop = Move::between(15, 15);
    shop.source.run_sql("shop", TABLE).unwrap();
    let ran = shop.run("start", &["--tables", "nowhere.*"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("tables-selected: no table"), "{}", ran.stderr);
}

#[test]
fn a_row_that_somebody_else_wrote_to_the_target_stops_the_run() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", TABLE).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.target.run_sql("shop", "INSERT INTO item VALUES (2000, 'foreign')").unwrap();
    shop.source.run_sql("shop", "INSERT INTO item VALUES (1999, 'a'), (2000, 'secret value')").unwrap();
    let ran = shop.run("start", &["--stop-when", "caught-up"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("conflict `insert_exists` in table public.item"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("secret value"), "{}", ran.stderr);
    assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM item WHERE id = 1999").unwrap().trim(), "0");
    assert_eq!(shop.target.run_sql("shop", "SELECT kind FROM atalaya.conflicts").unwrap().trim(), "insert_exists");
}

#[test]
fn stop_says_at_once_that_there_is_nothing_to_stop() {
    let shop = Move::between(15, 15);
    shop.source.run_sql("shop", TABLE).unwrap();
    let unknown = shop.run("stop", &[]);
    assert_eq!(unknown.code, Some(4), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("the target knows no migration"), "{}", unknown.stderr);
    shop.done("start", &["--stop-when", "caught-up"]);
    let idle = shop.run("stop", &[]);
    assert_eq!(idle.code, Some(4), "{}", idle.stderr);
    assert!(idle.stderr.contains("no run of `shop` is there"), "{}", idle.stderr);
}

#[test]
fn owners_that_the_target_lacks_are_refused_or_left_behind_on_demand() {
    let shop = Move::between(15, 15);
    shop.source.run_sql("shop", TABLE).unwrap();
    shop.source
        .run_sql("shop", "CREATE ROLE keeper; ALTER TABLE item OWNER TO keeper; GRANT SELECT ON item TO keeper")
        .unwrap();
    let refused = shop.run("start", &["--stop-when", "caught-up"]);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(refused.stderr.contains("roles-missing: keeper"), "{}", refused.stderr);
    shop.done("start", &["--stop-when", "caught-up", "--no-owner"]);
    // Later commands go by what the first run was told.
    shop.done("finish", &[]);
    shop.assert_equal();
}

#[test]
fn a_partition_goes_with_its_root_and_a_sequence_with_its_table() {
    let shop = Move::between(13, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE tree (id int PRIMARY KEY) PARTITION BY RANGE (id);
             CREATE TABLE leaf PARTITION OF tree FOR VALUES FROM (0) TO (10); INSERT INTO tree VALUES (1), (2);
             CREATE TABLE left_behind (id serial PRIMARY KEY); INSERT INTO left_behind DEFAULT VALUES",
        )
        .unwrap();
    shop.done("start", &["--stop-when", "caught-up", "--tables", "public.tree"]);
    shop.source.run_sql("shop", "INSERT INTO tree VALUES (3)").unwrap();
    shop.done("finish", &["--tables", "public.tree"]);
    assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM leaf").unwrap().trim(), "3");
    assert_eq!(shop.target.run_sql("shop", "SELECT to_regclass('left_behind') IS NULL").unwrap().trim(), "t");
}

#[test]
fn partitions_may_go_into_one_plain_table_that_is_there() {
    let shop = Move::between(13, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE tree (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
             CREATE TABLE leaf_1 PARTITION OF tree FOR VALUES FROM (0) TO (100);
             CREATE TABLE leaf_2 PARTITION OF tree FOR VALUES FROM (100) TO (200);
             CREATE TABLE flat (id int PRIMARY KEY, v text); INSERT INTO flat SELECT i, 'f' FROM generate_series(0, 199) i;
             INSERT INTO tree SELECT i, 'v' || i FROM generate_series(0, 199) i",
        )
        .unwrap();
    shop.target
        .run_sql(
            "shop",
            "CREATE TABLE tree (id int PRIMARY KEY, v text);
             CREATE TABLE flat (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
             CREATE TABLE flat_1 PARTITION OF flat FOR VALUES FROM (0) TO (50);
             CREATE TABLE flat_2 PARTITION OF flat DEFAULT",
        )
        .unwrap();
    shop.done("start", &["--stop-when", "caught-up", "--existing-schema"]);
    shop.source
        .run_sql(
            "shop",
            "UPDATE tree SET v = 'changed' WHERE id % 7 = 0;
             DELETE FROM tree WHERE id = 150; UPDATE flat SET id = id + 1000 WHERE id < 3; DELETE FROM flat WHERE id = 60",
        )
        .unwrap();
    shop.done("finish", &["--existing-schema"]);
    for table in ["tree", "flat"] {
        let digest = format!("SELECT count(*), sum(hashtext(t::text)) FROM {table} t");
        assert_eq!(shop.source.run_sql("shop", &digest).unwrap(), shop.target.run_sql("shop", &digest).unwrap());
    }
}
