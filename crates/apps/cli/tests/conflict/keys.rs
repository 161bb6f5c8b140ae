//! What belongs to tables that others write to: their foreign keys and sequences.

use super::caught_up;
use crate::support::Move;

fn family() -> Move {
    let shop = Move::between(15, 18);
    let sql = "CREATE TABLE parent (id int PRIMARY KEY, v text);
         CREATE TABLE child (id serial PRIMARY KEY, parent int REFERENCES parent, me int REFERENCES child);
         INSERT INTO parent SELECT n, 'p' || n FROM generate_series(1, 50) n;
         INSERT INTO child (parent, me) SELECT n, CASE WHEN n > 1 THEN n - 1 END FROM generate_series(1, 20) n";
    shop.source.run_sql("shop", sql).unwrap();
    shop.done("start", &["--conflicts", "source-wins", "--stop-when", "caught-up"]);
    shop
}

#[test]
fn a_child_whose_parent_is_gone_and_a_parent_with_somebody_elses_child_stop_the_run() {
    let shop = family();
    let stopped = |what: &str| {
        let ran = caught_up(&shop);
        assert_eq!(ran.code, Some(3), "{what}: {}\n{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("`foreign_key_missing` in table public.child"), "{what}: {}", ran.stderr);
    };
    let settled = |what: &str| {
        let ran = caught_up(&shop);
        assert_eq!(ran.code, Some(0), "{what}: {}\n{}", ran.stdout, ran.stderr);
    };
    // Parents and children of one group, in whatever order, are no conflict.
    shop.source
        .run_sql(
            "shop",
            "BEGIN; INSERT INTO parent VALUES (60, 'new'); INSERT INTO child (parent) VALUES (60), (60);
             UPDATE child SET parent = 2 WHERE id = 5; DELETE FROM child WHERE id = 20; DELETE FROM parent WHERE id = 20; COMMIT",
        )
        .unwrap();
    settled("a family of its own");
    shop.assert_equal();
    shop.target.run_sql("shop", "DELETE FROM parent WHERE id = 40").unwrap();
    shop.source.run_sql("shop", "INSERT INTO child (parent) VALUES (40)").unwrap();
    stopped("a parent that is gone");
    assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM child WHERE parent = 40").unwrap(), "0");
    shop.target.run_sql("shop", "INSERT INTO parent VALUES (40, 'p40')").unwrap();
    settled("a parent that is there again");
    shop.target.run_sql("shop", "INSERT INTO child (id, parent) VALUES (1000, 45)").unwrap();
    shop.source.run_sql("shop", "DELETE FROM parent WHERE id = 45").unwrap();
    stopped("somebody else's child");
    let constraint =
        "SELECT string_agg(DISTINCT constraint_name, ' ') FROM atalaya.conflicts WHERE kind = 'foreign_key_missing'";
    assert_eq!(shop.target.run_sql("shop", constraint).unwrap(), "child_parent_fkey");
    shop.target.run_sql("shop", "DELETE FROM child WHERE id = 1000").unwrap();
    settled("a child that is gone");
    shop.assert_equal();
}

#[test]
fn a_sequence_that_others_draw_from_is_never_set_back() {
    let shop = family();
    shop.target.run_sql("shop", "SELECT setval('child_id_seq', 5000)").unwrap();
    shop.source.run_sql("shop", "INSERT INTO child (parent) VALUES (3)").unwrap();
    assert_eq!(caught_up(&shop).code, Some(0));
    let stands = "SELECT last_value FROM child_id_seq";
    assert_eq!(shop.target.run_sql("shop", stands).unwrap(), "5000");
    let finished = shop.done("finish", &[]);
    assert!(finished.contains("the certificate lists what differs by decision"), "{finished}");
    assert_eq!(shop.target.run_sql("shop", stands).unwrap(), "5000");
}

#[test]
fn deferrable_unique_values_pass_from_row_to_row_in_large_groups_and_a_taken_one_is_found_by_the_proof() {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE DEFERRABLE INITIALLY DEFERRED, w int UNIQUE);
             INSERT INTO t SELECT n, n, n FROM generate_series(1, 500) n",
        )
        .unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    // Values of both keys go round, one of them in an order that no set of rows could be written in.
    shop.source
        .run_sql(
            "shop",
            "BEGIN; UPDATE t SET u = CASE WHEN id = 500 THEN 1 ELSE id + 1 END;
             UPDATE t SET w = -1 WHERE id = 1; UPDATE t SET w = 1 WHERE id = 2; UPDATE t SET w = 2 WHERE id = 1; COMMIT",
        )
        .unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.assert_equal();
    shop.target.run_sql("shop", "INSERT INTO t VALUES (900, 900, 900)").unwrap();
    shop.source.run_sql("shop", "INSERT INTO t VALUES (901, 900, 901)").unwrap();
    // A replica checks no deferrable constraint: what stands in its way is found by the proof, and `finish` refuses.
    assert_eq!(caught_up(&shop).code, Some(0));
    let proof = shop.validate(&["--quiesced"]);
    assert_eq!(proof.code, Some(3), "{}", proof.stdout);
    assert_eq!(shop.run("finish", &[]).code, Some(3));
    shop.target.run_sql("shop", "DELETE FROM t WHERE id = 900").unwrap();
    shop.done("finish", &[]);
    shop.assert_equal();
}
