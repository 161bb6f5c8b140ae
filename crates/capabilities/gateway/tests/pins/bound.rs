//! A client with something that only one server has keeps that server.

use atalaya_sandbox::{eventually, fresh_database};

use crate::support::{Client, Gateway, Setup, gateway, query, tags};

/// One server for each of two clients.
fn two_servers() -> Gateway {
    let (server, database) = fresh_database(18).unwrap();
    Setup::of(server, &database).servers_max(2).start()
}

/// The gateway looks at a server once its client has its answer.
fn is_bound(gateway: &Gateway, because: &[&str]) {
    eventually(&format!("bound by {because:?}"), || {
        let kept = gateway.status().kept;
        kept.iter().flat_map(|kept| kept.because.iter()).eq(because.iter())
    });
}

#[test]
fn a_temporary_table_is_there_for_its_client_and_for_nobody_else() {
    let gateway = two_servers();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("CREATE TEMP TABLE t AS SELECT 'mine' AS x");
    for _ in 0..3 {
        assert_eq!(second.error("SELECT * FROM t"), "42P01");
        assert_eq!(first.run("SELECT * FROM t"), "mine");
    }
    is_bound(&gateway, &["temporary objects"]);
    first.run("DROP TABLE t");
    second.run("SELECT 1");
    is_bound(&gateway, &[]);
}

#[test]
fn temporary_tables_by_every_spelling_bind() {
    let gateway = two_servers();
    for sql in [
        "CREATE TEMPORARY TABLE t (x int)",
        "SELECT 1 AS x INTO TEMP t",
        "CREATE TABLE pg_temp.t (x int)",
        "CREATE TEMP VIEW t AS SELECT 1 AS x",
        "CREATE TEMP SEQUENCE t",
        "DO $$ BEGIN CREATE TEMP TABLE t (x int); END $$",
        "DO $$ BEGIN EXECUTE 'CREATE TEMP' || ' TABLE t (x int)'; END $$",
        "BEGIN; CREATE TEMP TABLE t (x int); COMMIT",
        "SET search_path = pg_temp; CREATE TABLE t (x int)",
    ] {
        let mut first = gateway.client();
        first.run(sql);
        is_bound(&gateway, &["temporary objects"]);
        first.run("SELECT count(*) FROM pg_temp.t");
        drop(first);
        is_bound(&gateway, &[]);
        let mut second = gateway.client();
        assert_eq!(second.error("SELECT * FROM pg_temp.t"), "42P01", "{sql}");
    }
}

#[test]
fn a_temporary_table_that_was_rolled_back_or_dropped_on_commit_binds_nobody() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("BEGIN; CREATE TEMP TABLE t (x int); ROLLBACK");
    second.run("SELECT 1");
    first.run("BEGIN; CREATE TEMP TABLE t (x int) ON COMMIT DROP; COMMIT");
    second.run("SELECT 1");
    is_bound(&gateway, &[]);
}

/// A few words set a value of any size; a gateway that carried all of them would grow by as much.
#[test]
fn settings_larger_than_are_carried_are_there_for_their_client_and_for_nobody_else() {
    let gateway = two_servers();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("SELECT length(set_config('a.small', repeat('x', 500000), false))");
    is_bound(&gateway, &[]);
    first.run("SELECT length(set_config('a.large', repeat('x', 3000000), false))");
    is_bound(&gateway, &["a function that binds the session"]);
    for _ in 0..3 {
        assert_eq!(second.run("SELECT current_setting('a.large', true)"), "~");
        let length = "SELECT length(current_setting('a.small')) + length(current_setting('a.large'))";
        assert_eq!(first.run(length), "3500000");
    }
    drop(first);
    is_bound(&gateway, &[]);
    let mut third = gateway.client();
    third.run("BEGIN");
    for client in [&mut third, &mut second] {
        assert_eq!(client.run("SELECT current_setting('a.large', true)"), "~");
    }
}

/// What was not read is at its server, and is not set back to what the session began with.
#[test]
fn a_setting_that_outgrows_what_is_carried_stays_what_its_client_has_made_it() {
    let gateway = two_servers();
    let mut client = Client::login(&gateway.login().with("options", "-c a.tenant=small"));
    assert_eq!(client.run("SHOW a.tenant"), "small");
    client.run("SELECT length(set_config('a.tenant', repeat('x', 2000000), false))");
    for _ in 0..2 {
        assert_eq!(client.run("SELECT length(current_setting('a.tenant'))"), "2000000");
    }
}

#[test]
fn more_settings_than_are_carried_bind_their_client() {
    let gateway = two_servers();
    let mut client = gateway.client();
    // So many that all names of a message are asked for.
    let set = |client: &mut Client, numbers: std::ops::Range<u32>| {
        for number in numbers.step_by(50) {
            let all: String = (number..number + 50).map(|number| format!("SET many.n{number} = 'x';")).collect();
            client.run(&all);
        }
    };
    set(&mut client, 0..500);
    is_bound(&gateway, &[]);
    set(&mut client, 500..550);
    is_bound(&gateway, &["a function that binds the session"]);
    let mut at_once = gateway.client();
    at_once.run("BEGIN");
    set(&mut at_once, 0..300);
    at_once.run("COMMIT");
    for (client, last) in [(&mut client, 549), (&mut at_once, 299)] {
        assert_eq!(client.run(&format!("SHOW many.n{last}")), "x");
        assert_eq!(client.run("SHOW many.n0"), "x");
    }
}

#[test]
fn an_advisory_lock_is_held_until_its_client_unlocks_or_goes() {
    let gateway = two_servers();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("SELECT pg_advisory_lock(1)");
    assert_eq!(second.run("SELECT pg_try_advisory_lock(1)"), "f");
    first.run("SELECT 1");
    is_bound(&gateway, &["an advisory lock"]);
    first.run("SELECT pg_advisory_unlock(1)");
    is_bound(&gateway, &[]);
    first.run("SELECT pg_advisory_lock(1)");
    first.vanish();
    eventually("the lock is free", || second.run("SELECT pg_try_advisory_lock(1)") == "t");
}

#[test]
fn an_advisory_lock_of_a_transaction_binds_nobody() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("BEGIN; SELECT pg_advisory_xact_lock(1); COMMIT");
    assert_eq!(second.run("SELECT pg_try_advisory_xact_lock(1)"), "t");
    is_bound(&gateway, &[]);
}

#[test]
fn who_listens_hears_between_transactions_and_nobody_else_does() {
    let gateway = two_servers();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("LISTEN news");
    second.run("NOTIFY news, 'something happened'");
    let heard = first.message();
    assert_eq!(heard.tag, b'A');
    assert!(String::from_utf8_lossy(&heard.body).contains("something happened"));
    is_bound(&gateway, &["LISTEN"]);
    first.run("UNLISTEN news");
    is_bound(&gateway, &[]);
    second.run("NOTIFY news, 'nobody hears'");
    assert_eq!(first.tags(&query("SELECT 1")), "T D C ZI");
}

#[test]
fn a_cursor_with_hold_outlives_its_transaction() {
    let gateway = two_servers();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT generate_series(1, 3); COMMIT");
    assert_eq!(second.error("FETCH 1 FROM c"), "34000");
    assert_eq!(first.run("FETCH 2 FROM c"), "1\n2");
    is_bound(&gateway, &["a cursor WITH HOLD"]);
    first.run("CLOSE c");
    is_bound(&gateway, &[]);
}

#[test]
fn a_cursor_without_hold_binds_nobody() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("BEGIN; DECLARE c CURSOR FOR SELECT 1; FETCH 1 FROM c; COMMIT");
    assert_eq!(second.error("FETCH 1 FROM c"), "34000");
}

#[test]
fn a_client_that_is_bound_takes_its_place_and_others_are_told_when_none_is_left() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).wait_seconds(1).start();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("CREATE TEMP TABLE t (x int)");
    assert_eq!(second.error("SELECT 1"), "53300");
    assert_eq!(first.run("SELECT count(*) FROM t"), "0");
    drop(first);
    assert_eq!(second.run("SELECT 1"), "1");
}

#[test]
fn pooling_by_session_lends_a_server_until_its_client_goes() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).servers_max(2).database("pooling: session").start();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("SET work_mem = '9MB'; SET a.b = 'mine'; CREATE TEMP TABLE t (x int); PREPARE p AS SELECT 1");
    let process = first.run("SELECT pg_backend_pid()");
    assert_ne!(second.run("SELECT pg_backend_pid()"), process);
    assert_eq!(first.run("EXECUTE p"), "1");
    drop((first, second));
    for _ in 0..4 {
        let mut next = Client::login(&gateway.login());
        assert_eq!(next.run("SHOW work_mem"), "4MB");
        assert_ne!(next.run("SELECT current_setting('a.b', true)"), "mine");
        assert_eq!(next.error("SELECT * FROM t"), "42P01");
        assert_eq!(tags(&next.ask(&query("EXECUTE p"))), "E26000 ZI");
    }
}
