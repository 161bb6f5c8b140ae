//! Servers that take their time with the gateway's login.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use atalaya_sandbox::{Proxy, Server, eventually, fresh_database};

use crate::support::{Client, FakeServer, Setup, fake_message, query, tags};

fn behind(proxy: &Proxy, server: &Server, database: &str) -> Setup {
    let role = server.superuser();
    Setup::new(&proxy.url(&server.url(database)), role.name(), role.password())
}

#[test]
fn a_slow_login_is_waited_for() {
    let (server, database) = fresh_database(18).unwrap();
    let proxy = Proxy::start(server.port()).unwrap();
    let gateway = behind(&proxy, server, &database).start();
    proxy.hold();
    let login = gateway.login();
    std::thread::scope(|scope| {
        let client = scope.spawn(|| Client::login(&login).run("SELECT 'came'"));
        eventually("the gateway logs in", || proxy.held() == 1);
        eventually("it waits", || gateway.status().pools[0].clients_waiting == 1);
        proxy.release();
        assert_eq!(client.join().unwrap(), "came");
    });
}

#[test]
fn a_login_that_is_never_answered_is_told_after_the_wait_as_no_connection_and_not_as_a_full_pool() {
    let (server, database) = fresh_database(18).unwrap();
    let proxy = Proxy::start(server.port()).unwrap();
    let gateway = behind(&proxy, server, &database).wait_seconds(1).start();
    let mut client = gateway.client();
    assert_eq!(client.run("SELECT 1"), "1");
    proxy.cut();
    proxy.hang_up();
    eventually("the gateway has noticed", || gateway.status().pools[0].servers_idle == 0);
    let said = client.ask(&query("SELECT 1"));
    assert_eq!(tags(&said), "E08006 ZI");
    assert!(said[0].text().contains("no connection"), "{said:?}");
    // With settings that no server was asked for yet.
    let refused = Client::try_login(&gateway.login().with("application_name", "another")).err().unwrap();
    assert_eq!(refused.sqlstate, "08006");
    proxy.mend();
    eventually("it is served again", || tags(&client.ask(&query("SELECT 1"))) == "T D C ZI");
    assert_eq!(Client::login(&gateway.login().with("application_name", "another")).run("SELECT 1"), "1");
}

#[test]
fn a_server_that_still_starts_is_tried_again_and_told_after_the_wait() {
    let starting = || fake_message(b'E', b"SFATAL\0C57P03\0Mthe database system is starting up\0\0");
    let good = || [fake_message(b'C', b"SELECT 0\0"), fake_message(b'Z', b"I")].concat();
    let (has_started, logins) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let (asked, counted) = (Arc::clone(&has_started), Arc::clone(&logins));
    let door = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        (!asked.load(Ordering::SeqCst)).then(starting)
    };
    let server = FakeServer::start_with_door(door, move |_| Some(good()));
    let setup = Setup::new(&server.url(), "fake", "fake");
    let impatient = setup.beside().wait_seconds(1).start();
    assert_eq!(Client::try_login(&impatient.login()).err().unwrap().sqlstate, "08006");
    drop(impatient);
    let gateway = setup.wait_seconds(600).start();
    let login = gateway.login();
    std::thread::scope(|scope| {
        let client = scope.spawn(|| tags(&Client::login(&login).ask(&query("SELECT"))));
        let before = logins.load(Ordering::SeqCst);
        eventually("it is tried again", || logins.load(Ordering::SeqCst) > before + 2);
        has_started.store(true, Ordering::SeqCst);
        assert_eq!(client.join().unwrap(), "C ZI");
    });
}
