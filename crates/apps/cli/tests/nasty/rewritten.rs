//! Tables that are rewritten while they are copied: places of rows change, or an old snapshot sees none of them.

use crate::support::{Move, ran};

const STOP: [&str; 2] = ["--stop-when", "caught-up"];

/// Killed at the nth place of that name.
fn killed_at(shop: &Move, place: &str, more: &[&str]) {
    let arguments = Move::migrate("start", more);
    let ran = ran(shop.command(&arguments).env("ATALAYA_FAILPOINT", place));
    assert_eq!(ran.signal, Some(9), "{}", ran.stderr);
}

#[test]
fn a_table_clustered_between_two_runs_of_its_ranges() {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE wide (id int, hash text, filler text); ALTER TABLE wide REPLICA IDENTITY FULL;
             INSERT INTO wide SELECT n, md5(n::text), repeat('x', 200) FROM generate_series(1, 60000) n;
             CREATE INDEX by_hash ON wide (hash)",
        )
        .unwrap();
    let ranges = [&STOP[..], &["--workers", "2", "--split-larger-than", "2"]].concat();
    killed_at(&shop, "copy-committed:3", &ranges);
    let done =
        shop.target.run_sql("shop", "SELECT count(*) FILTER (WHERE done) > 0, bool_and(done) FROM atalaya.copy_ranges");
    assert_eq!(done.unwrap(), "t|f");
    shop.source.run_sql("shop", "CLUSTER wide USING by_hash").unwrap();
    shop.done("start", &ranges);
    shop.assert_equal();
}

#[test]
fn a_table_rewritten_before_its_copy_is_not_copied_empty() {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE large (id int PRIMARY KEY, filler text);
             INSERT INTO large SELECT n, repeat('x', 500) FROM generate_series(1, 5000) n;
             CREATE TABLE small (id int PRIMARY KEY, v int); INSERT INTO small SELECT n, n FROM generate_series(1, 100) n",
        )
        .unwrap();
    let one = [&STOP[..], &["--workers", "1"]].concat();
    killed_at(&shop, "copy-committed:1", &one);
    // As VACUUM FULL does, but hiding the rows from every older snapshot.
    shop.source
        .run_sql(
            "shop",
            "ALTER TABLE small ALTER v TYPE int USING v + 0, SET (fillfactor = 90), ALTER v TYPE int USING (v)",
        )
        .unwrap();
    let filenode = "SELECT pg_relation_filenode('small')";
    let before = shop.source.run_sql("shop", filenode).unwrap();
    shop.source.run_sql("shop", "BEGIN; CREATE TEMP TABLE kept AS SELECT * FROM small; TRUNCATE small; INSERT INTO small SELECT * FROM kept; COMMIT").unwrap();
    assert_ne!(before, shop.source.run_sql("shop", filenode).unwrap());
    shop.done("start", &one);
    assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM small").unwrap(), "100");
    shop.assert_equal();
}
