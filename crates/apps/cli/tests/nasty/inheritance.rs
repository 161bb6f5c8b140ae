//! Children that inherit are tables of their own, whatever rows they share with their parents.

use super::caught_up;
use crate::support::Move;

#[test]
fn changes_of_a_parent_alone_never_reach_its_children() {
    let shop = Move::between(13, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE parent (id int PRIMARY KEY, v int); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
             INSERT INTO parent SELECT n, n FROM generate_series(1, 100) n;
             INSERT INTO child SELECT n, n FROM generate_series(1, 100) n;
             CREATE TABLE bare (v int); CREATE TABLE bare_child () INHERITS (bare);
             ALTER TABLE bare REPLICA IDENTITY FULL; ALTER TABLE bare_child REPLICA IDENTITY FULL;
             INSERT INTO bare SELECT n FROM generate_series(1, 100) n;
             INSERT INTO bare_child SELECT n FROM generate_series(1, 100) n",
        )
        .unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.source
        .run_sql(
            "shop",
            "UPDATE ONLY parent SET v = v + 1000 WHERE id <= 50; DELETE FROM ONLY parent WHERE id > 90;
             UPDATE ONLY parent SET id = id + 500 WHERE id <= 5; DELETE FROM ONLY bare WHERE v <= 80;
             UPDATE bare_child SET v = -v WHERE v > 95",
        )
        .unwrap();
    let ran = caught_up(&shop, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    alone(&shop);
}

#[test]
fn a_repair_of_a_parent_leaves_the_childs_row_of_the_same_key() {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE parent (id int PRIMARY KEY, v int); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
             INSERT INTO parent VALUES (1, 1); INSERT INTO child VALUES (1, 2)",
        )
        .unwrap();
    let _running = shop.follow(&[]);
    shop.target.run_sql("shop", "UPDATE ONLY parent SET v = 99 WHERE id = 1").unwrap();
    let repaired = shop.validate(&["--repair"]);
    assert_eq!(repaired.code, Some(0), "{}\n{}", repaired.stdout, repaired.stderr);
    alone(&shop);
}

/// Rows of each table by itself.
fn alone(shop: &Move) {
    for table in ["parent", "child", "bare", "bare_child"] {
        let there = format!("SELECT to_regclass('{table}') IS NOT NULL");
        if shop.source.run_sql("shop", &there).unwrap() == "f" {
            continue;
        }
        let sql = format!("SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM ONLY {table} t");
        let rows = shop.source.run_sql("shop", &sql).unwrap();
        assert!(!rows.starts_with("0|"), "{table}");
        assert_eq!(rows, shop.target.run_sql("shop", &sql).unwrap(), "{table}");
    }
}
