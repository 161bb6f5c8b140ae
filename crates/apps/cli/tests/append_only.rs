//! Tables declared to be only inserted into: they move without a key, and what cannot be followed is noticed.

use crate::support::{Move, eventually};

const TABLES: &str = "CREATE TABLE audit (at timestamptz, line text); CREATE TABLE item (id int PRIMARY KEY, v text);
    INSERT INTO audit SELECT '2024-01-01'::timestamptz + n * interval '1 s', 'line ' || n % 3 FROM generate_series(1, 500) n;
    INSERT INTO audit SELECT * FROM audit LIMIT 10; INSERT INTO item SELECT n, 'v' || n FROM generate_series(1, 100) n;";

const APPEND_ONLY: &[&str] = &["--append-only", "public.audit"];

#[test]
fn a_table_without_a_key_is_refused_until_it_is_declared_append_only_and_then_moves() {
    let shop = Move::between(13, 18);
    shop.source.run_sql("shop", TABLES).unwrap();
    let refused = shop.run("start", &["--stop-when", "caught-up"]);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(refused.stderr.contains("public.audit"), "{}", refused.stderr);
    let running = shop.follow(APPEND_ONLY);
    shop.source
        .run_sql("shop", "INSERT INTO audit VALUES (NULL, 'new'), (NULL, 'new'); UPDATE item SET v = 'x' WHERE id < 10")
        .unwrap();
    let proof = shop.validate(&[]);
    assert_eq!(proof.code, Some(0), "{}\n{}", proof.stdout, proof.stderr);
    shop.assert_equal();
    // TRUNCATE of such a table is followed.
    shop.source.run_sql("shop", "TRUNCATE audit; INSERT INTO audit VALUES (NULL, 'after')").unwrap();
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.done("finish", APPEND_ONLY);
    shop.assert_equal();
    assert_eq!(shop.target.run_sql("shop", "SELECT line FROM audit").unwrap(), "after");
}

fn a_change_stops_the_run(change: &str) {
    let shop = Move::between(13, 18);
    shop.source.run_sql("shop", TABLES).unwrap();
    let running = shop.follow(APPEND_ONLY);
    // The source's own statement works: its publication must not stand in its way.
    shop.source.run_sql("shop", change).unwrap();
    let ran = running.wait();
    assert_eq!(ran.code, Some(4), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("public.audit is declared append-only"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: give the table a replica identity"), "{}", ran.stderr);
    // It stays noticed, however often it is tried.
    for verb in ["start", "finish"] {
        let again =
            shop.run(verb, &[APPEND_ONLY, if verb == "start" { &["--stop-when", "caught-up"] } else { &[] }].concat());
        assert_eq!(again.code, Some(4), "{verb}: {}\n{}", again.stdout, again.stderr);
    }
}

#[test]
fn an_update_of_a_table_declared_append_only_stops_the_run_and_not_the_source() {
    a_change_stops_the_run("UPDATE audit SET line = 'changed' WHERE line = 'line 1'");
}

#[test]
fn a_delete_from_a_table_declared_append_only_stops_the_run_and_not_the_source() {
    a_change_stops_the_run("DELETE FROM audit WHERE line = 'line 1'");
}

#[test]
fn an_update_while_nobody_follows_is_noticed_by_the_next_run() {
    let shop = Move::between(13, 18);
    shop.source.run_sql("shop", TABLES).unwrap();
    shop.done("start", &[APPEND_ONLY, &["--stop-when", "caught-up"]].concat());
    shop.source.run_sql("shop", "UPDATE audit SET line = 'changed' WHERE line = 'line 1'").unwrap();
    // The source's own statistics come a little later than its commits.
    let counted = "SELECT n_tup_upd > 0 FROM pg_stat_user_tables WHERE relname = 'audit'";
    eventually("the update is counted", || shop.source.run_sql("shop", counted).unwrap() == "t");
    let ran = shop.run("start", &[APPEND_ONLY, &["--stop-when", "caught-up"]].concat());
    assert_eq!(ran.code, Some(4), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("public.audit is declared append-only"), "{}", ran.stderr);
}

#[test]
fn an_update_during_the_copy_is_noticed() {
    let shop = Move::between(13, 18);
    shop.source.run_sql("shop", TABLES).unwrap();
    let mut running = shop.spawn("start", APPEND_ONLY);
    eventually("the slot", || {
        running.assert_alive();
        shop.source
            .run_sql("shop", "SELECT count(*) FROM pg_replication_slots WHERE confirmed_flush_lsn IS NOT NULL")
            .unwrap()
            == "1"
    });
    shop.source.run_sql("shop", "UPDATE audit SET line = 'changed' WHERE line = 'line 1'").unwrap();
    let ran = running.wait();
    assert_eq!(ran.code, Some(4), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("public.audit is declared append-only"), "{}", ran.stderr);
}
