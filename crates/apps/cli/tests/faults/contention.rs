//! Deadlocks, serialization failures, cancelled statements: tried again, with a limit.

use super::connecting::assert_failed;
use crate::held::Held;
use crate::support::{Move, eventually};

const TABLES: &str = "CREATE TABLE first (id int PRIMARY KEY, v int); CREATE TABLE second (id int PRIMARY KEY, v int);
    INSERT INTO first SELECT i, 0 FROM generate_series(1, 100) i; INSERT INTO second SELECT i, 0 FROM generate_series(1, 100) i";
const CHANGE: &str = "BEGIN; UPDATE first SET v = v + 1; UPDATE second SET v = v + 1; COMMIT";
const CAUGHT_UP: &[&str] = &["--stop-when", "caught-up"];

/// A migration that follows, with one transaction over both tables still to be applied.
fn following() -> Move {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", TABLES).unwrap();
    shop.done("start", CAUGHT_UP);
    shop.source.run_sql("shop", CHANGE).unwrap();
    shop
}

/// A constraint on the target that refuses a statement's first tries, as a conflict of serializable transactions would;
/// a sequence remembers them over the rollback. A trigger would be switched off by the run.
fn refuse_first(shop: &Move, tries: u32) {
    let sql = format!(
        "CREATE SEQUENCE tries;
         CREATE FUNCTION refuse() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('public.tries') <= {tries} THEN RAISE serialization_failure; END IF; RETURN true; END $$;
         ALTER TABLE second ADD CONSTRAINT refuse CHECK (id <> 1 OR refuse()) NOT VALID"
    );
    shop.target.run_sql("shop", &sql).unwrap();
}

fn tries(shop: &Move) -> String {
    shop.target.run_sql("shop", "SELECT last_value FROM tries").unwrap()
}

/// How many rows the target has of what was still to be applied.
fn applied(shop: &Move) -> String {
    let sql = "SELECT (SELECT sum(v) FROM first) + (SELECT sum(v) FROM second)";
    shop.target.run_sql("shop", sql).unwrap()
}

#[test]
fn a_deadlock_with_somebody_else_is_tried_again() {
    let shop = following();
    // The other session never looks for deadlocks, so that it is apply's transaction that is ended.
    let lock = "SET deadlock_timeout = '1h'; BEGIN; LOCK TABLE public.second IN EXCLUSIVE MODE";
    let other = Held::open(&shop.target_url, lock);
    let mut run = shop.spawn_with("start", CAUGHT_UP, &[("ATALAYA_FAILPOINT", "apply-part-written:1:stop")]);
    // Apply holds the rows of one table and will want the other one.
    run.wait_for_halt();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| other.run("SELECT FROM public.first WHERE id = 1 FOR UPDATE"));
        let blocked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'somebody else'
                          AND wait_event_type = 'Lock'";
        eventually("the other session waits", || shop.target.run_sql("shop", blocked).unwrap() == "1");
        run.go_on();
        waiting.join().unwrap().unwrap();
    });
    drop(other);
    let ran = run.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("deadlock detected"), "{}", ran.stderr);
    shop.assert_equal();
}

#[test]
fn serialization_failures_are_tried_again_until_they_end() {
    let shop = following();
    refuse_first(&shop, 3);
    let ran = shop.run("start", CAUGHT_UP);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("reconnect").count(), 3, "{}", ran.stderr);
    assert_eq!(tries(&shop), "4");
    shop.assert_equal();
}

#[test]
fn serialization_failures_that_do_not_end_are_given_up_with_nothing_half_applied() {
    let shop = following();
    refuse_first(&shop, 1_000_000);
    let ran = shop.run("start", &["--stop-when", "caught-up", "--retries", "2"]);
    assert_failed(&ran, 1, "serialization_failure", "run the same command again");
    // Once, and twice again.
    assert_eq!(tries(&shop), "3");
    assert_eq!(applied(&shop), "0");
    shop.target.run_sql("shop", "DROP FUNCTION refuse() CASCADE; DROP SEQUENCE tries").unwrap();
    shop.done("start", CAUGHT_UP);
    assert_eq!(applied(&shop), "200");
    shop.assert_equal();
}

#[test]
fn a_statement_that_somebody_cancels_is_tried_again() {
    let shop = following();
    let other = Held::open(&shop.target_url, "BEGIN; LOCK TABLE public.second IN EXCLUSIVE MODE");
    let run = shop.spawn("start", CAUGHT_UP);
    let waiting = "FROM pg_stat_activity WHERE application_name = 'atalaya apply shop' AND wait_event_type = 'Lock'";
    let count = format!("SELECT count(*) {waiting}");
    eventually("apply waits for a lock", || shop.target.run_sql("shop", &count).unwrap() == "1");
    let cancelled = shop.target.run_sql("shop", &format!("SELECT pg_cancel_backend(pid) {waiting}")).unwrap();
    assert_eq!(cancelled, "t");
    drop(other);
    let ran = run.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("canceling statement due to user request"), "{}", ran.stderr);
    shop.assert_equal();
}

#[test]
fn limits_and_modes_set_on_both_databases_do_not_reach_the_move() {
    let shop = Move::between(14, 18);
    shop.source.run_sql("shop", TABLES).unwrap();
    for server in [&shop.source, &shop.target] {
        server
            .run_sql(
                "shop",
                "ALTER DATABASE shop SET statement_timeout = '1ms'; ALTER DATABASE shop SET lock_timeout = '1ms';
                 ALTER DATABASE shop SET idle_in_transaction_session_timeout = '1ms';
                 ALTER DATABASE shop SET default_transaction_isolation = serializable;
                 ALTER DATABASE shop SET default_transaction_read_only = on",
            )
            .unwrap();
    }
    shop.target.run_sql("postgres", "ALTER DATABASE shop SET transaction_timeout = '50ms'").unwrap();
    let session = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
        SET default_transaction_read_only = off; SET transaction_timeout = 0;";
    let limit = shop.source.run_sql("shop", "SET statement_timeout = 0; SHOW default_transaction_isolation").unwrap();
    assert_eq!(limit, "serializable");
    shop.done("start", CAUGHT_UP);
    let change = format!("{} {CHANGE}", session.replace("SET transaction_timeout = 0;", ""));
    shop.source.run_sql("shop", &change).unwrap();
    shop.done("start", CAUGHT_UP);
    let sum = format!("{session} SELECT (SELECT sum(v) FROM first) + (SELECT sum(v) FROM second)");
    assert_eq!(shop.target.run_sql("shop", &sum).unwrap(), "200");
    shop.done("finish", &[]);
}
