//! A cancel request reaches what its client waits for, or nothing.

mod delayed;
mod draining;
mod newest;

use std::sync::atomic::{AtomicBool, Ordering};

use atalaya_sandbox::{eventually, fresh_database};

use crate::support::{Client, Gateway, Setup, cancel_request, gateway, query, tags};

/// Sends a request and waits until the gateway has dealt with it.
fn cancel(gateway: &Gateway, process_id: i32, secret: &[u8]) {
    let mut request = Client::open(gateway.port);
    request.send(&cancel_request(process_id, secret));
    assert!(request.until_end().is_empty(), "a cancel request is answered with nothing");
}

fn cancel_of(gateway: &Gateway, client: &Client) {
    cancel(gateway, client.process_id, &client.secret);
}

fn is_running(gateway: &Gateway, count: usize) {
    eventually(&format!("{count} run"), || gateway.status().gate.running == count);
}

#[test]
fn a_running_statement_is_cancelled_and_its_client_goes_on() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.send(&query("SELECT pg_sleep(600)"));
    is_running(&gateway, 1);
    eventually("it ends", || {
        cancel_of(&gateway, &client);
        gateway.status().gate.running == 0
    });
    assert_eq!(tags(&client.until_ready()), "T E57014 ZI");
    assert_eq!(client.run("SELECT 1"), "1");
}

#[test]
fn a_client_that_waits_for_a_server_is_cancelled_and_the_server_is_not() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.run("BEGIN");
    second.send(&query("SELECT 1"));
    eventually("it waits", || gateway.status().pools[0].clients_waiting == 1);
    cancel_of(&gateway, &second);
    assert_eq!(tags(&second.until_ready()), "E57014 ZI");
    assert_eq!(first.run("SELECT 1"), "1");
    first.run("COMMIT");
    assert_eq!(second.run("SELECT 2"), "2");
    assert_eq!(gateway.status().pools[0].clients_waiting, 0);
}

#[test]
fn a_pipeline_that_waits_is_cancelled_up_to_its_sync() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    second.prepare("s", "SELECT 1");
    first.run("BEGIN");
    second.send(&[crate::support::run("s", &[]), crate::support::run("s", &[])].concat());
    eventually("it waits", || gateway.status().pools[0].clients_waiting == 1);
    cancel_of(&gateway, &second);
    assert_eq!(tags(&second.until_ready()), "E57014 ZI");
    first.run("COMMIT");
    assert_eq!(tags(&second.until_ready()), "2 D C ZI");
}

#[test]
fn a_client_that_waits_at_a_closed_gate_is_cancelled_and_the_pause_goes_on() {
    let gateway = gateway();
    let mut client = gateway.client();
    let epoch = gateway.pause();
    client.send(&query("SELECT 1"));
    eventually("it waits", || gateway.status().gate.waiting == 1);
    cancel_of(&gateway, &client);
    assert_eq!(tags(&client.until_ready()), "E57014 ZI");
    assert_eq!(gateway.status().gate.paused_epoch, Some(epoch));
    gateway.resume(epoch);
    assert_eq!(client.run("SELECT 1"), "1");
}

#[test]
fn an_idle_client_has_nothing_to_cancel_now_or_later() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    for _ in 0..5 {
        cancel_of(&gateway, &first);
        assert_eq!(first.run("SELECT 1"), "1");
        assert_eq!(second.run("SELECT 2"), "2");
    }
    // Neither does it hit the next wait.
    cancel_of(&gateway, &first);
    second.run("BEGIN");
    first.send(&query("SELECT 1"));
    eventually("it waits", || gateway.status().pools[0].clients_waiting == 1);
    second.run("COMMIT");
    assert_eq!(tags(&first.until_ready()), "T D C ZI");
}

#[test]
fn a_request_with_a_wrong_secret_or_number_is_met_with_silence() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.send(&query("SELECT pg_sleep(1)"));
    is_running(&gateway, 1);
    let mut wrong = client.secret.clone();
    wrong[0] ^= 1;
    cancel(&gateway, client.process_id, &wrong);
    cancel(&gateway, client.process_id.wrapping_add(1), &client.secret);
    cancel(&gateway, client.process_id, &[client.secret.as_slice(), &[0]].concat());
    cancel(&gateway, client.process_id, &[0; 256]);
    assert_eq!(tags(&client.until_ready()), "T D C ZI");
}

#[test]
fn the_servers_own_key_is_not_told() {
    let gateway = gateway();
    let mut client = gateway.client();
    let process: i32 = client.run("SELECT pg_backend_pid()").parse().unwrap();
    assert_ne!(client.process_id, process);
}

#[test]
fn a_late_request_never_meets_another_clients_statement() {
    let gateway = gateway();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    let (process_id, secret, port) = (first.process_id, first.secret.clone(), gateway.port);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let mut request = Client::open(port);
                    request.send(&cancel_request(process_id, &secret));
                    request.until_end();
                }
            });
        }
        let mut cancelled = 0;
        for number in 0..300 {
            first.send(&query("SELECT pg_sleep(0.001)"));
            let answer = format!("{number}");
            let got = second.tags(&query(&format!("SELECT {answer}")));
            assert_eq!(got, "T D C ZI", "after {number}");
            let own = tags(&first.until_ready());
            assert!(["T D C ZI", "T E57014 ZI", "E57014 ZI"].contains(&own.as_str()), "{own}");
            cancelled += usize::from(own.contains("57014"));
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(cancelled > 0, "no request ever came in time");
    });
}

#[test]
fn what_a_client_has_set_is_not_lost_by_a_request_that_comes_late() {
    let gateway = gateway();
    let mut client = gateway.client();
    let (process_id, secret, port) = (client.process_id, client.secret.clone(), gateway.port);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let mut request = Client::open(port);
                request.send(&cancel_request(process_id, &secret));
                request.until_end();
            }
        });
        for number in 0..200 {
            let is_set = tags(&client.ask(&query(&format!("SET a.b = '{number}'")))) == "C ZI";
            let is_shown = loop {
                let said = client.ask(&query("SELECT current_setting('a.b', true)"));
                if let Some(row) = said.iter().find(|said| said.tag == b'D') {
                    break row.row()[0].as_deref() == Some(number.to_string().as_str());
                }
            };
            assert!(is_shown || !is_set, "{number} was set, and lost");
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_client_with_a_short_limit_of_its_own_keeps_what_it_made() {
    let (server, database) = fresh_database(18).unwrap();
    let gateway = Setup::of(server, &database).servers_max(2).start();
    let (mut client, mut other) = (gateway.client(), gateway.client());
    client.run("CREATE TEMP TABLE t AS SELECT 'mine' AS x; SET statement_timeout = 1");
    for _ in 0..5 {
        other.run("SELECT 1");
    }
    let got = loop {
        let said = client.ask(&query("SELECT x FROM t"));
        if !tags(&said).contains("57014") {
            break tags(&said);
        }
    };
    assert_eq!(got, "T D C ZI");
}
