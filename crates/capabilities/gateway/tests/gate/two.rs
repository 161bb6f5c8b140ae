//! A gateway with two databases: each has a gate of its own.

use atalaya_gateway::admin::{Answer, Request};
use atalaya_sandbox::{eventually, fresh_database};

use crate::support::{Client, Gateway, Setup, query, tags};

fn start() -> Gateway {
    let (server, database) = fresh_database(18).unwrap();
    let (_, other) = fresh_database(18).unwrap();
    Setup::of(server, &database).other(server, &other).workers(1).start()
}

fn pause(gateway: &Gateway, database: &str) -> u64 {
    let database = database.to_owned();
    match gateway.answer(Request::Pause { database, drain_limit_ms: 60_000, hold_limit_ms: 600_000 }) {
        Answer::Paused { epoch, .. } => epoch,
        other => panic!("{other:?}"),
    }
}

fn resume(gateway: &Gateway, database: &str, epoch: u64) -> Answer {
    gateway.answer(Request::Resume { database: database.to_owned(), epoch: Some(epoch), to: None })
}

#[test]
fn one_is_paused_while_the_other_is_served_and_drains_without_it() {
    let gateway = start();
    let mut held = gateway.client();
    let [mut served, mut running] = [(); 2].map(|()| Client::login(&gateway.login_as("app", "other")));
    // With one server, so that the other one waits for it, not for a gate.
    running.run("BEGIN; CREATE TABLE t (x int)");
    let epoch = pause(&gateway, "shop");
    held.send(&query("SELECT 'held'"));
    eventually("it waits", || gateway.status().gate.waiting == 1);
    assert_eq!(gateway.status_of("other").gate.paused_epoch, None);
    assert_eq!(running.run("INSERT INTO t VALUES (1); COMMIT"), "");
    for _ in 0..50 {
        assert_eq!(served.run("SELECT count(*) FROM t"), "1");
    }
    assert_eq!(Client::login(&gateway.login_as("app", "other")).run("SELECT 1"), "1");
    // The other one's epoch opens nothing here, nor does this one's open the other.
    let other = pause(&gateway, "other");
    assert_eq!(gateway.status().gate.waiting, 1);
    assert!(matches!(resume(&gateway, "other", other), Answer::Resumed { clients_held: 0, .. }));
    assert_eq!(gateway.status().gate.paused_epoch, Some(epoch));
    assert!(matches!(resume(&gateway, "shop", epoch), Answer::Resumed { clients_held: 1, .. }));
    assert_eq!(tags(&held.until_ready()), "T D C ZI");
}

#[test]
fn a_transaction_of_the_one_does_not_hold_up_the_others_pause() {
    let gateway = start();
    let mut running = gateway.client();
    running.run("BEGIN; CREATE TABLE t (x int)");
    let epoch = pause(&gateway, "other");
    running.run("INSERT INTO t VALUES (1); COMMIT");
    assert!(matches!(resume(&gateway, "other", epoch), Answer::Resumed { .. }));
    assert_eq!(running.run("SELECT count(*) FROM t"), "1");
}
