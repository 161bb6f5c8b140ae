//! Keys that do not tell rows apart, parts of a whole, values that pass from row to row.

use super::{caught_up, refused};
use crate::support::Move;

#[test]
fn a_key_with_a_generated_column_is_none_under_replica_identity_full() {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE t (a int NOT NULL, b int NOT NULL, g int GENERATED ALWAYS AS (b * 2) STORED, PRIMARY KEY (a, g));
             ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t (a, b) VALUES (1, 1)",
        )
        .unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.source
        .run_sql("shop", "BEGIN; INSERT INTO t (a, b) VALUES (1, 2); DELETE FROM t WHERE b = 1; COMMIT")
        .unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.assert_equal();
}

#[test]
fn a_truncate_of_one_partition_never_empties_the_whole() {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE t (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
             CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10);
             CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20);
             INSERT INTO t SELECT n, n FROM generate_series(0, 19) n",
        )
        .unwrap();
    shop.target.run_sql("shop", "CREATE TABLE t (id int PRIMARY KEY, v int)").unwrap();
    let existing = ["--existing-schema"];
    assert_eq!(caught_up(&shop, &existing).code, Some(0));
    shop.source.run_sql("shop", "TRUNCATE t1").unwrap();
    refused(&caught_up(&shop, &existing), "emptied only a part");
    assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM t").unwrap(), "20");
}

#[test]
fn a_repair_of_values_that_pass_from_row_to_row_and_a_run_that_outlives_a_failed_one() {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE NOT NULL); INSERT INTO t SELECT n, n FROM generate_series(1, 1300) n",
        )
        .unwrap();
    let mut running = shop.follow(&[]);
    shop.target
        .run_sql(
            "shop",
            "BEGIN; UPDATE t SET u = -u; UPDATE t SET u = CASE WHEN id = 1300 THEN 1 ELSE id + 1 END; COMMIT",
        )
        .unwrap();
    let repaired = shop.validate(&["--repair"]);
    assert_eq!(repaired.code, Some(0), "{}\n{}", repaired.stdout, repaired.stderr);
    shop.assert_equal();
    // A row in the way that no repair was asked to move.
    shop.target
        .run_sql(
            "shop",
            "ALTER TABLE t ADD CONSTRAINT odd CHECK (id <> 5 OR u < 0) NOT VALID; DELETE FROM t WHERE id = 5",
        )
        .unwrap();
    let failed = shop.validate(&["--repair"]);
    assert_ne!(failed.code, Some(0), "{}\n{}", failed.stdout, failed.stderr);
    running.assert_alive();
    shop.target.run_sql("shop", "ALTER TABLE t DROP CONSTRAINT odd").unwrap();
    let repaired = shop.validate(&["--repair"]);
    assert_eq!(repaired.code, Some(0), "{}\n{}", repaired.stdout, repaired.stderr);
    shop.assert_equal();
}

#[test]
fn indexes_whose_schemas_and_names_read_alike_are_both_built() {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE SCHEMA a; CREATE SCHEMA \"a b\"; CREATE TABLE a.t (id int); CREATE TABLE \"a b\".t (id int);
             ALTER TABLE a.t REPLICA IDENTITY FULL; ALTER TABLE \"a b\".t REPLICA IDENTITY FULL;
             CREATE UNIQUE INDEX \"b c\" ON a.t (id); CREATE UNIQUE INDEX c ON \"a b\".t (id)",
        )
        .unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    let indexes = "SELECT count(*) FROM pg_indexes WHERE tablename = 't'";
    assert_eq!(shop.target.run_sql("shop", indexes).unwrap(), "2");
}

#[test]
fn keys_of_an_extensions_type_are_found_whatever_the_search_path() {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE SCHEMA \"my types\"; CREATE EXTENSION ltree SCHEMA \"my types\"; CREATE EXTENSION citext;
             CREATE TABLE tree (path \"my types\".ltree PRIMARY KEY, v int); CREATE TABLE named (name citext PRIMARY KEY, v int);
             INSERT INTO tree SELECT ('a.b' || n)::\"my types\".ltree, n FROM generate_series(1, 50) n;
             INSERT INTO named SELECT 'Name' || n, n FROM generate_series(1, 50) n;
             COMMENT ON INDEX tree_pkey IS 'in a schema without a blank';
             CREATE TABLE \"my types\".t (id int PRIMARY KEY); COMMENT ON INDEX \"my types\".t_pkey IS 'with one'",
        )
        .unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.source
        .run_sql(
            "shop",
            "UPDATE tree SET v = -v WHERE v < 10; DELETE FROM tree WHERE v > 40; UPDATE tree SET path = 'z' WHERE v = 20;
             UPDATE named SET v = -v WHERE v < 10; UPDATE named SET name = upper(name::text) WHERE v = 30;
             DELETE FROM named WHERE v > 45",
        )
        .unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.assert_equal();
}
