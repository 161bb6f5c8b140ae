//! Every transaction of a move that touches a user's table is known as the move's own by its first change.

use crate::support::{Move, eventually};

const SOURCE: &str = "CREATE TABLE big (id int PRIMARY KEY, what text);
    INSERT INTO big SELECT n, repeat('x', 100) FROM generate_series(1, 20000) n;
    CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1), (2);
    CREATE TABLE tree (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE leaf_1 PARTITION OF tree FOR VALUES FROM (0) TO (100);
    CREATE TABLE leaf_2 PARTITION OF tree FOR VALUES FROM (100) TO (200);
    INSERT INTO tree SELECT generate_series(0, 199)";
const TARGET: &str = "CREATE TABLE big (id int PRIMARY KEY, what text); CREATE TABLE item (id int PRIMARY KEY);
    CREATE TABLE tree (id int PRIMARY KEY)";

#[test]
fn a_copy_in_ranges_a_copy_begun_anew_and_changes_begin_with_the_marker() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", SOURCE).unwrap();
    shop.target.run_sql("shop", TARGET).unwrap();
    shop.target.run_sql("shop", "SELECT pg_create_logical_replication_slot('back', 'test_decoding')").unwrap();
    let more = ["--stop-when", "caught-up", "--existing-schema", "--split-larger-than", "1", "--workers", "2"];
    let mut command = shop.command(&Move::migrate("start", &more));
    let ran = crate::support::ran(command.env("ATALAYA_FAILPOINT", "copy-begun"));
    assert_eq!(ran.code, None, "not killed: {}", ran.stderr);
    let holders = "FROM pg_stat_activity WHERE application_name LIKE 'atalaya snapshot%'";
    shop.source.run_sql("shop", &format!("SELECT pg_terminate_backend(pid) {holders}")).unwrap();
    let count = format!("SELECT count(*) {holders}");
    eventually("the holder is gone", || shop.source.run_sql("shop", &count).unwrap().trim() == "0");
    shop.done("start", &more);
    shop.source
        .run_sql("shop", "UPDATE big SET what = 'y' WHERE id < 100; TRUNCATE item; INSERT INTO item VALUES (3)")
        .unwrap();
    shop.done("start", &more);

    let changes = "SELECT data FROM pg_logical_slot_peek_changes('back', NULL, NULL)";
    let changes = shop.target.run_sql("shop", changes).unwrap();
    let mut users = 0;
    for transaction in changes.split("BEGIN ") {
        let mut tables = transaction.lines().filter(|line| line.starts_with("table "));
        if transaction.contains("\ntable public.") {
            users += 1;
            let first = tables.next().unwrap();
            assert!(first.starts_with("table atalaya.progress: UPDATE"), "{first}\n{transaction:.1000}");
        }
    }
    assert!(users >= 6, "{users} transactions touched a user's table");
    for table in ["big", "tree", "item"] {
        assert!(changes.contains(&format!("table public.{table}: TRUNCATE")), "`{table}` was never emptied");
    }
    shop.target.run_sql("shop", "SELECT pg_drop_replication_slot('back')").unwrap();
}
