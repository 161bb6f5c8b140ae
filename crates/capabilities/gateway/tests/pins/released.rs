//! What others must not see once a client is done or gone.

use atalaya_sandbox::{eventually, fresh_database};

use crate::support::{Setup, gateway, query, tags};

#[test]
fn what_a_sequence_gave_is_told_to_the_client_that_got_it_only() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("CREATE SEQUENCE numbers START 41");
    first.run("SELECT nextval('numbers')");
    assert_eq!(second.error("SELECT lastval()"), "55000");
    first.run("SELECT nextval('numbers')");
    assert_eq!(second.error("SELECT currval('numbers')"), "55000");
    second.run("SELECT nextval('numbers')");
    assert_eq!(first.run("BEGIN; SELECT nextval('numbers'); SELECT lastval(); COMMIT"), "44\n44");
}

#[test]
fn what_a_sequence_gave_is_not_told_to_a_prepared_statement_either() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("CREATE SEQUENCE numbers");
    second.prepare("last", "SELECT lastval()");
    first.run("SELECT nextval('numbers')");
    assert_eq!(tags(&second.ask(&crate::support::run("last", &[]))), "2 E55000 ZI");
    first.run("SELECT nextval('numbers')");
    let unnamed = [crate::support::parse("", "SELECT lastval()"), crate::support::run("", &[])].concat();
    assert_eq!(tags(&second.ask(&unnamed)), "1 2 E55000 ZI");
}

#[test]
fn a_client_that_asks_for_sequences_meets_its_own_numbers_only_in_any_later_transaction() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("CREATE SEQUENCE numbers");
    assert_eq!(second.error("SELECT lastval()"), "55000");
    first.run("SELECT nextval('numbers')");
    second.run("BEGIN");
    assert_eq!(second.error("SELECT lastval()"), "55000");
    second.run("ROLLBACK");
    second.run("BEGIN");
    second.run("SELECT nextval('numbers')");
    assert_eq!(second.run("SELECT lastval()"), "2");
    second.run("COMMIT");
}

#[test]
fn a_transaction_that_was_left_open_is_rolled_back() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("CREATE TABLE t (x int)");
    first.run("BEGIN; INSERT INTO t VALUES (1)");
    first.vanish();
    assert_eq!(second.run("SELECT count(*) FROM t"), "0");
}

#[test]
fn a_client_that_is_gone_does_not_leave_its_statement_running() {
    let gateway = gateway();
    let mut second = gateway.client();
    for _ in 0..5 {
        let mut first = gateway.client();
        first.send(&query("SELECT pg_sleep(600)"));
        // At once, before the server has begun.
        first.vanish();
        let mut first = gateway.client();
        first.send(&query("SELECT pg_sleep(600)"));
        eventually("it runs", || gateway.status().gate.running == 1);
        first.vanish();
    }
    let running = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' \
                   AND state = 'active' AND datname = current_database()";
    eventually("nothing runs any more", || second.run(running) == "0");
}

#[test]
fn notices_come_to_the_client_that_caused_them() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    assert_eq!(first.tags(&query("DO $$ BEGIN RAISE NOTICE 'mine'; END $$")), "N C ZI");
    assert_eq!(second.tags(&query("SELECT 1")), "T D C ZI");
    assert_eq!(first.tags(&query("COMMIT")), "N C ZI");
    assert_eq!(second.tags(&query("SELECT 1")), "T D C ZI");
}

#[test]
fn a_short_limit_on_a_statements_time_does_not_bind() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).start();
    let (mut hasty, mut other) = (gateway.client(), gateway.client());
    hasty.run("SET statement_timeout = '1ms'");
    // The statement itself may be cut short as well.
    for number in 0..20 {
        hasty.ask(&query(&format!("SET a.b = '{number}'")));
    }
    assert_eq!(other.run("SHOW statement_timeout"), "0");
    assert_eq!(gateway.status().kept.len(), 0);
    eventually("the limit is still the client's", || {
        let said = hasty.ask(&query("SHOW statement_timeout"));
        said.iter().any(|said| said.tag == b'D' && said.row()[0].as_deref() == Some("1ms"))
    });
}
