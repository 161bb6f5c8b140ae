//! Cancel requests whose way to the server is slow: the server's session is nobody's until it is known what became of them.

use atalaya_sandbox::{Proxy, Server, eventually, fresh_database};

use super::{cancel, is_running};
use crate::support::{Gateway, Setup, query, tags};

/// A statement that ends when the test says so.
const WAITS: &str = "SELECT pg_advisory_xact_lock(7)";

/// A gateway with one server that is reached through a proxy, and who keeps the statement waiting.
fn behind(proxy: &Proxy, server: &Server, database: &str) -> (Gateway, Gateway) {
    let role = server.superuser();
    let through = Setup::new(&proxy.url(&server.url(database)), role.name(), role.password());
    let beside = Setup::new(&server.url(database), role.name(), role.password()).database("pooling: session");
    (through.start(), beside.start())
}

#[test]
fn a_server_is_not_given_away_while_a_request_for_it_is_on_its_way() {
    let (server, database) = fresh_database(18).unwrap();
    let proxy = Proxy::start(server.port()).unwrap();
    let (gateway, beside) = behind(&proxy, server, &database);
    let (mut first, mut second, mut lock) = (gateway.client(), gateway.client(), beside.client());
    lock.run("SELECT pg_advisory_lock(7)");
    first.send(&query(WAITS));
    is_running(&gateway, 1);
    proxy.hold();
    let (process_id, secret) = (first.process_id, first.secret.clone());
    std::thread::scope(|scope| {
        let request = scope.spawn(|| cancel(&gateway, process_id, &secret));
        eventually("the request is on its way", || proxy.held() == 1);
        // The statement is quicker than the request.
        lock.run("SELECT pg_advisory_unlock(7)");
        assert_eq!(tags(&first.until_ready()), "T D C ZI");
        second.send(&query("SELECT pg_sleep(0.2)"));
        eventually("it waits", || gateway.status().pools[0].clients_waiting == 1);
        assert_eq!(gateway.status().pools[0].servers_idle, 0);
        proxy.release();
        request.join().unwrap();
    });
    assert_eq!(tags(&second.until_ready()), "T D C ZI", "the request was not for this one");
    assert_eq!(first.run("SELECT 1"), "1");
}

#[test]
fn a_server_whose_request_is_lost_on_its_way_is_given_to_nobody_and_met_late_by_nobody() {
    let (server, database) = fresh_database(18).unwrap();
    let proxy = Proxy::start(server.port()).unwrap();
    let (gateway, beside) = behind(&proxy, server, &database);
    let (mut first, mut second, mut lock) = (gateway.client(), gateway.client(), beside.client());
    let before = first.run("SELECT pg_backend_pid()");
    lock.run("SELECT pg_advisory_lock(7)");
    first.send(&query(WAITS));
    is_running(&gateway, 1);
    proxy.hold();
    // Answered when the gateway has given up on it.
    cancel(&gateway, first.process_id, &first.secret);
    assert_eq!(proxy.held(), 1);
    lock.run("SELECT pg_advisory_unlock(7)");
    assert_eq!(tags(&first.until_ready()), "T D C ZI");
    second.send(&query("SELECT pg_backend_pid(), pg_sleep(0.2)"));
    eventually("another server is asked for", || proxy.held() == 2);
    // The old request reaches the server now, whose session is over.
    assert_eq!(proxy.release(), 2);
    let said = second.until_ready();
    assert_eq!(tags(&said), "T D C ZI");
    assert_ne!(said[1].row()[0], Some(before));
    assert_eq!(first.run("SELECT 1"), "1");
}
