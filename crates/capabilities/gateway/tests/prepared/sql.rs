//! Statements that SQL prepares, calls and drops.

use crate::support::{Setup, describe_statement, gateway, parse, query, run, sync, tags};

#[test]
fn what_sql_prepared_is_the_clients_own() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("PREPARE s AS SELECT 'first'");
    assert_eq!(second.error("EXECUTE s"), "26000");
    second.run("PREPARE s AS SELECT 'second'");
    for _ in 0..2 {
        assert_eq!(first.run("EXECUTE s"), "first");
        assert_eq!(second.run("EXECUTE s"), "second");
    }
    first.run("DEALLOCATE s");
    assert_eq!(first.error("EXECUTE s"), "26000");
    assert_eq!(second.run("EXECUTE s"), "second");
}

#[test]
fn a_statement_by_the_protocol_is_called_by_sql_and_the_other_way_round() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.prepare("by_protocol", "SELECT $1::int + 1");
    first.run("PREPARE by_sql (int) AS SELECT $1 + 2");
    for _ in 0..2 {
        assert_eq!(second.run("SELECT 1"), "1");
        assert_eq!(first.run("EXECUTE by_protocol (41)"), "42");
        assert_eq!(first.execute("by_sql", &["40"]), "42");
        assert_eq!(first.execute("by_protocol", &["41"]), "42");
        assert_eq!(first.run("EXECUTE by_sql (40)"), "42");
    }
    assert_eq!(second.error("EXECUTE by_protocol (1)"), "26000");
    first.run("DEALLOCATE by_protocol");
    assert_eq!(first.tags(&run("by_protocol", &["1"])), "E26000 ZI");
}

#[test]
fn a_call_that_was_prepared_at_one_server_is_described_by_what_it_calls_at_another_one() {
    let (server, database) = atalaya_sandbox::fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).servers_max(2).start();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("PREPARE s AS SELECT 'called'");
    first.prepare("e", "EXECUTE s");
    for _ in 0..2 {
        second.run("BEGIN");
        assert_eq!(first.execute("e", &[]), "called");
        assert_eq!(first.tags(&[describe_statement("e"), sync()].concat()), "t T ZI");
        second.run("COMMIT");
        assert_eq!(first.execute("e", &[]), "called");
    }
}

#[test]
fn dropping_all_drops_the_clients_own_alone() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    for sql in ["DEALLOCATE ALL", "DISCARD ALL"] {
        first.prepare("s", "SELECT 'first'");
        first.run("PREPARE t AS SELECT 1");
        second.prepare("s2", "SELECT 'second'");
        second.prepare("shared", "SELECT 'first'");
        first.run(sql);
        assert_eq!(first.tags(&run("s", &[])), "E26000 ZI", "{sql}");
        assert_eq!(first.error("EXECUTE t"), "26000");
        assert_eq!(second.execute("s2", &[]), "second", "{sql}");
        assert_eq!(second.execute("shared", &[]), "first", "{sql}");
        first.prepare("s", "SELECT 'again'");
        assert_eq!(first.execute("s", &[]), "again");
        first.run("DEALLOCATE ALL");
        second.run("DEALLOCATE ALL");
    }
}

#[test]
fn dropping_all_within_a_transaction_frees_the_names_at_once() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.prepare("s", "SELECT 'old'");
    client.run("BEGIN; DEALLOCATE ALL");
    assert_eq!(client.tags(&[parse("s", "SELECT 'new'"), sync()].concat()), "1 ZT");
    client.run("COMMIT");
    assert_eq!(client.execute("s", &[]), "new");
    client.send(&[query("DEALLOCATE ALL"), parse("s", "SELECT 'newer'"), sync()].concat());
    assert_eq!(tags(&client.until_ready()), "C ZI");
    assert_eq!(tags(&client.until_ready()), "1 ZI");
    assert_eq!(client.execute("s", &[]), "newer");
}

#[test]
fn dropping_all_that_the_server_refuses_drops_nothing() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.prepare("s", "SELECT 'kept'");
    client.run("BEGIN");
    assert_eq!(client.error("DISCARD ALL"), "25001");
    assert_eq!(client.error("DEALLOCATE ALL"), "25P02");
    client.run("ROLLBACK");
    assert_eq!(client.execute("s", &[]), "kept");
}

#[test]
fn a_client_that_drops_statements_unseen_takes_none_from_others() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    for sql in [
        "DO $$ BEGIN EXECUTE 'DEALLOCATE ' || 'ALL'; END $$",
        "DEALLOCATE \"atalaya:1\"",
        "DO $$ BEGIN EXECUTE 'DEALLOCATE \"atalaya:2\"'; END $$",
    ] {
        second.prepare("s", "SELECT 'second'");
        second.ask(&query("SELECT 1"));
        first.ask(&query(sql));
        assert_eq!(second.execute("s", &[]), "second", "{sql}");
        second.run("DEALLOCATE s");
    }
}

#[test]
fn a_plan_of_explain_is_that_of_the_clients_statement() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.prepare("s", "SELECT 1 AS one");
    second.run("SELECT 1");
    assert!(first.run("EXPLAIN EXECUTE s").contains("Result"));
}

#[test]
fn what_came_in_one_text_with_a_preparation_is_never_run_again() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("CREATE TABLE t (x int)");
    first.run("INSERT INTO t VALUES (1); PREPARE p AS SELECT 'prepared'; INSERT INTO t VALUES (2)");
    for _ in 0..3 {
        assert_eq!(second.run("SELECT count(*) FROM t"), "2");
        assert_eq!(first.run("EXECUTE p"), "prepared");
    }
}

#[test]
fn what_cannot_be_prepared_again_is_told_as_the_server_would() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("CREATE TABLE t (x int); CREATE TABLE u (x int)");
    first.run("PREPARE p AS SELECT * FROM t");
    first.prepare("q", "SELECT * FROM u");
    second.run("DROP TABLE t; DROP TABLE u");
    assert_eq!(first.error("EXECUTE p"), "42P01");
    assert_eq!(first.error("EXECUTE q"), "42P01");
    assert_eq!(first.run("SELECT 1"), "1");
}

#[test]
fn a_name_that_is_given_away_and_taken_again_stands_for_the_later_text() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("PREPARE p AS SELECT 'old'");
    first.run("BEGIN; DEALLOCATE p; PREPARE p AS SELECT 'new'; COMMIT");
    assert_eq!(second.run("SELECT 1"), "1");
    assert_eq!(first.run("EXECUTE p"), "new");
    first.prepare("q", "SELECT 'old'");
    first.run("BEGIN; DEALLOCATE q; PREPARE q AS SELECT 'new'; COMMIT");
    assert_eq!(second.run("SELECT 1"), "1");
    assert_eq!(first.run("EXECUTE q"), "new");
}
