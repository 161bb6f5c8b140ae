//! Servers that go and come back.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use atalaya_sandbox::{Server, ServerOptions, StopMode, eventually, fresh_database};

use crate::support::{Client, Setup, query, tags};

#[test]
fn a_restart_under_load_is_told_by_a_code_and_the_others_go_on() {
    let mut server = Server::start(ServerOptions::new(17)).unwrap();
    server.create_database("shop").unwrap();
    let gateway = Setup::of(&server, "shop").servers_max(3).start();
    let is_over = AtomicBool::new(false);
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let mut client = None;
                while !is_over.load(Ordering::Relaxed) {
                    let Some(mut session) = client.take().or_else(|| Client::try_login(&gateway.login()).ok()) else {
                        continue;
                    };
                    session.send(&query("SELECT pg_sleep(0.002)"));
                    let mut said = Vec::new();
                    let is_ready = loop {
                        match session.try_message() {
                            None => break false,
                            Some(message) if message.tag == b'Z' => break true,
                            Some(message) => said.push(message),
                        }
                    };
                    let code = said.iter().find(|said| said.tag == b'E').map(crate::support::Message::sqlstate);
                    match code.as_deref() {
                        None => {
                            assert!(is_ready, "an end without a word");
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                        Some("57P01" | "57P02" | "57P03" | "08006" | "08007" | "53300") => {}
                        Some(other) => panic!("{other}"),
                    }
                    client = is_ready.then_some(session);
                }
            });
        }
        for mode in [StopMode::Fast, StopMode::Immediate] {
            let before = done.load(Ordering::Relaxed);
            eventually("work is done", || done.load(Ordering::Relaxed) > before + 50);
            server.stop(mode).unwrap();
            server.start_again().unwrap();
        }
        let before = done.load(Ordering::Relaxed);
        eventually("work is done again", || done.load(Ordering::Relaxed) > before + 50);
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(gateway.client().run("SELECT 1"), "1");
}

#[test]
fn idle_clients_outlive_a_restart_of_their_server() {
    let mut server = Server::start(ServerOptions::new(17)).unwrap();
    server.create_database("shop").unwrap();
    let gateway = Setup::of(&server, "shop").start();
    let mut client = gateway.client();
    client.run("SET work_mem = '9MB'");
    client.prepare("s", "SELECT 'still here'");
    server.stop(StopMode::Fast).unwrap();
    server.start_again().unwrap();
    eventually("the gateway has noticed", || gateway.status().pools[0].servers_idle == 0);
    assert_eq!(client.run("SHOW work_mem"), "9MB");
    assert_eq!(client.execute("s", &[]), "still here");
}

#[test]
fn a_server_that_is_down_at_the_start_is_waited_for() {
    let mut server = Server::start(ServerOptions::new(17)).unwrap();
    server.create_database("shop").unwrap();
    let setup = Setup::of(&server, "shop");
    server.stop(StopMode::Fast).unwrap();
    let gateway = setup.wait_seconds(60).start();
    let login = gateway.login();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| Client::login(&login).run("SELECT 'came'"));
        eventually("it waits", || gateway.status().pools.iter().any(|pool| pool.clients_waiting == 1));
        server.start_again().unwrap();
        assert_eq!(waits.join().unwrap(), "came");
    });
}

#[test]
fn a_server_that_stays_away_is_told_after_the_wait() {
    let mut server = Server::start(ServerOptions::new(17)).unwrap();
    server.create_database("shop").unwrap();
    let gateway = Setup::of(&server, "shop").wait_seconds(1).start();
    let mut client = gateway.client();
    client.run("SELECT 1");
    server.stop(StopMode::Fast).unwrap();
    eventually("the gateway has noticed", || gateway.status().pools[0].servers_idle == 0);
    assert_eq!(client.error("SELECT 1"), "08006");
    server.start_again().unwrap();
    eventually("it is served again", || tags(&client.ask(&query("SELECT 1"))) == "T D C ZI");
}

#[test]
fn a_full_pool_is_told_after_the_wait_and_served_when_it_is_free() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).wait_seconds(1).start();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("BEGIN");
    let said = second.ask(&query("SELECT 1"));
    assert_eq!(tags(&said), "E53300 ZI");
    assert!(said[0].field(b'H').unwrap().contains("servers_max"), "a hint names the setting");
    first.run("COMMIT");
    assert_eq!(second.run("SELECT 1"), "1");
    assert_eq!(gateway.status().refused_for_waiting, 1);
}

#[test]
fn more_clients_than_there_may_be_are_told_so() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).gateway("clients_max: 2").start();
    let (first, mut second) = (gateway.client(), gateway.client());
    assert_eq!(Client::try_login(&gateway.login()).err().unwrap().sqlstate, "53300");
    drop(first);
    eventually("there is room", || Client::try_login(&gateway.login()).is_ok());
    assert_eq!(second.run("SELECT 1"), "1");
}

#[test]
fn a_server_process_that_is_ended_ends_its_client_with_the_servers_word() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).start();
    let mut client = gateway.client();
    let process = client.run("BEGIN; SELECT pg_backend_pid()");
    server.run_sql(&database, &format!("SELECT pg_terminate_backend({process})")).unwrap();
    let said = client.until_end();
    assert_eq!(tags(&said), "E57P01", "the server's word, and no second one");
    assert_eq!(gateway.client().run("SELECT 1"), "1");
}

#[test]
fn what_the_server_does_not_know_is_told_at_once() {
    let (server, _) = fresh_database(18).unwrap();
    let role = server.superuser();
    let no_database = Setup::new(&server.url("no_such_database"), role.name(), role.password()).start();
    assert_eq!(Client::try_login(&no_database.login()).err().unwrap().sqlstate, "3D000");
    let wrong = Setup::new(&server.url("postgres"), role.name(), "not the password").start();
    let refused = Client::try_login(&wrong.login()).err().unwrap();
    assert_eq!(refused.sqlstate, "28000");
    assert!(!refused.text.contains(role.name()), "{}", refused.text);
}
