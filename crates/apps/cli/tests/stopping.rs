//! A stop ends the run it was meant for, while somebody waits for it, and no other.

use crate::support::{Move, eventually};

const TABLE: &str = "CREATE TABLE item (id int PRIMARY KEY, what text); INSERT INTO item VALUES (1, 'one')";

#[test]
fn a_stop_that_nobody_met_does_not_end_the_next_run() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", TABLE).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    // As a run leaves it that was killed while it was asked to stop.
    let left = "INSERT INTO atalaya.control (migration, kind, lsn) VALUES ('shop', 'stop', '0/1')";
    shop.target.run_sql("shop", left).unwrap();
    let running = shop.spawn("start", &[]);
    let state = "SELECT state FROM atalaya.control ORDER BY id DESC LIMIT 1";
    eventually("the old request is over", || shop.target.run_sql("shop", state).unwrap().trim() == "expired");
    shop.source.run_sql("shop", "INSERT INTO item VALUES (2, 'two')").unwrap();
    let count = "SELECT count(*) FROM item";
    eventually("the new row", || shop.target.run_sql("shop", count).unwrap().trim() == "2");
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
}

#[test]
fn a_stop_that_was_given_up_does_not_end_the_run_later() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", TABLE).unwrap();
    let mut running = shop.follow(&[]);
    // Somebody's lock on the target keeps the run from draining.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = atalaya_estate::ConnectionUrl::parse(&shop.target_url).unwrap();
    let other = runtime.block_on(atalaya_postgres::Session::connect(&url, "someone else")).unwrap();
    runtime.block_on(other.batch("BEGIN; LOCK TABLE public.item IN ACCESS EXCLUSIVE MODE")).unwrap();
    shop.source.run_sql("shop", "UPDATE item SET what = 'changed'").unwrap();
    let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                    WHERE NOT l.granted AND a.application_name = 'atalaya apply shop'";
    eventually("apply waits for the lock", || shop.target.run_sql("shop", waiting).unwrap().trim() == "1");
    let given_up = shop.run("stop", &["--timeout", "1"]);
    assert_eq!(given_up.code, Some(4), "{}", given_up.stderr);
    assert!(given_up.stderr.contains("has stopped within 1 s"), "{}", given_up.stderr);
    runtime.block_on(other.batch("COMMIT")).unwrap();
    shop.source.run_sql("shop", "INSERT INTO item VALUES (2, 'two')").unwrap();
    let rows = "SELECT string_agg(what, ' ' ORDER BY id) FROM item";
    eventually("both changes", || shop.target.run_sql("shop", rows).unwrap().trim() == "changed two");
    running.assert_alive();
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.assert_equal();
}

#[test]
fn a_run_that_ends_answers_everybody_who_asked_it_to_stop() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", TABLE).unwrap();
    let running = shop.follow(&[]);
    let lock = crate::held::Held::open(&shop.target_url, "BEGIN; LOCK TABLE public.item IN ACCESS EXCLUSIVE MODE");
    shop.source.run_sql("shop", "UPDATE item SET what = 'changed'").unwrap();
    let asked = |times: &str| {
        let sql = "SELECT count(*) FROM atalaya.control WHERE kind = 'stop' AND state = 'requested'";
        shop.target.run_sql("shop", sql).unwrap() == times
    };
    // Killed, it leaves its request behind.
    let first = shop.spawn("stop", &[]);
    eventually("a stop is asked for", || asked("1"));
    drop(first);
    let second = shop.spawn("stop", &["--timeout", "170"]);
    eventually("another one is asked for", || asked("2"));
    drop(lock);
    assert_eq!(running.wait().code, Some(0));
    let ran = second.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}
