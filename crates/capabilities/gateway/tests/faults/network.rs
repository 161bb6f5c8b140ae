//! Connections that break or fall silent between the gateway and its server.

use atalaya_sandbox::{Fault, Proxy, eventually, fresh_database};

use crate::support::{Gateway, Setup, query, tags};

fn behind(proxy: &Proxy, database: &str, server: &atalaya_sandbox::Server) -> Gateway {
    let role = server.superuser();
    let url = proxy.url(&server.url(database));
    Setup::new(&url, role.name(), role.password()).wait_seconds(5).start()
}

#[test]
fn a_connection_that_breaks_within_a_result_ends_its_client_with_a_code() {
    let (server, database) = fresh_database(18).unwrap();
    let proxy = Proxy::with_fault(server.port(), Fault::HangUp, 100_000).unwrap();
    let gateway = behind(&proxy, &database, server);
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.send(&query("SELECT repeat('x', 1000) FROM generate_series(1, 10000)"));
    let said = first.until_end();
    assert!(proxy.has_struck());
    // What is told stands behind whole rows only, or is not told: within a row it would be taken for its rest.
    let whole = [Some("x".repeat(1000))];
    for row in said.iter().filter(|said| said.tag == b'D') {
        assert_eq!(row.row(), whole);
    }
    let others: Vec<_> = said.iter().filter(|said| said.tag != b'D').cloned().collect();
    assert!(["T", "T E08007"].contains(&tags(&others).as_str()), "{others:?}");
    assert_eq!(second.run("SELECT 1"), "1");
}

#[test]
fn idle_connections_that_break_are_met_by_nobody() {
    let (server, database) = fresh_database(18).unwrap();
    let proxy = Proxy::start(server.port()).unwrap();
    let gateway = behind(&proxy, &database, server);
    let mut client = gateway.client();
    for _ in 0..5 {
        client.run("SELECT 1");
        assert!(proxy.hang_up() >= 1);
        eventually("the gateway has noticed", || gateway.status().pools[0].servers_idle == 0);
    }
    assert_eq!(client.run("SELECT 1"), "1");
}

#[test]
fn a_client_may_leave_a_server_that_says_nothing_any_more() {
    let (server, database) = fresh_database(18).unwrap();
    let proxy = Proxy::start(server.port()).unwrap();
    let gateway = behind(&proxy, &database, server);
    let mut first = gateway.client();
    first.run("SELECT 1");
    proxy.freeze();
    first.send(&query("SELECT 1"));
    eventually("it is asked", || gateway.status().gate.running == 1);
    drop(first);
    let mut second = gateway.client();
    eventually("another server serves", || tags(&second.ask(&query("SELECT 2"))) == "T D C ZI");
}

#[test]
fn a_bound_client_whose_connection_breaks_is_told_while_it_is_idle() {
    let (server, database) = fresh_database(18).unwrap();
    let proxy = Proxy::start(server.port()).unwrap();
    let gateway = behind(&proxy, &database, server);
    let mut client = gateway.client();
    client.run("CREATE TEMP TABLE t (x int)");
    eventually("it is bound", || gateway.status().kept.len() == 1);
    proxy.hang_up();
    assert_eq!(tags(&client.until_end()), "E57P01");
    assert_eq!(gateway.client().run("SELECT 1"), "1");
}
