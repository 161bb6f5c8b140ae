//! Gateways that start, or read their estate again, while the journal says where clients are led.

use std::time::Duration;

use atalaya_gateway::admin::{Answer, HeldFor, Refused, Request};
use atalaya_route::Decision;
use atalaya_sandbox::{Server, ServerOptions, StopMode, eventually};

use super::lab::{LONG, Lab, Steered};
use crate::support::query;

#[test]
fn a_gateway_that_starts_after_a_flip_serves_the_new_server_though_its_estate_names_the_old() {
    let lab = Lab::new();
    let (gateway, routes) = (lab.gateway(), lab.routes());
    let ready = gateway.ready();
    let epoch = lab.open(&routes, &[&ready], LONG);
    gateway.arm(&epoch);
    lab.flip(&routes, &epoch);
    gateway.settle(&epoch);
    drop(gateway);
    let again = lab.gateway();
    assert_eq!(again.client().run("SELECT name FROM place"), "green");
    assert_eq!((again.status().to.as_str(), again.status().led_by_epoch), ("green", Some(1)));
    // Reading the estate again leads nobody back.
    assert!(matches!(again.answer(Request::Reload), Answer::Reloaded));
    assert_eq!(again.client().run("SELECT name FROM place"), "green");
    // A word about the former epoch is answered by what the journal says.
    assert_eq!(again.settle(&epoch).leads_to, "green");
}

#[test]
fn a_gateway_that_starts_while_an_epoch_is_open_is_shut_until_its_lease_is_over() {
    let lab = Lab::new();
    let (gateway, routes) = (lab.gateway(), lab.routes());
    let ready = gateway.ready();
    let lease = Duration::from_secs(3);
    let epoch = lab.open(&routes, &[&ready], lease);
    gateway.arm(&epoch);
    lab.fence(&[]);
    drop(gateway);
    let again = lab.gateway();
    // Its first statement is answered after the decision only, whatever was first: login, reading or the end of the lease.
    assert_eq!(again.client().run("SELECT name FROM place"), "blue");
    assert!(matches!(lab.decision(&routes, &epoch), Some(Decision::Closed { .. })));
    assert!(!lab.is_fenced());
    let left = lab.runtime.block_on(routes.lease_left(&epoch)).unwrap();
    assert_eq!(left, Duration::ZERO, "closed before its time");
}

#[test]
fn a_gateway_that_starts_while_an_epoch_is_open_opens_at_its_decision() {
    let lab = Lab::new();
    let routes = lab.routes();
    let first = lab.gateway();
    let epoch = lab.open(&routes, &[&first.ready()], LONG);
    drop(first);
    let again = lab.gateway();
    eventually("it has read the route", || again.status().gate.held == Some(HeldFor::Epoch { epoch: 1 }));
    // What it was made ready for is gone with the former process: it cannot be counted on.
    assert!(matches!(again.try_arm(1, LONG), Err(Refused::NotNamed { .. })));
    assert!(matches!(again.try_settle(1), Err(Refused::Undecided { epoch: 1 })));
    lab.flip(&routes, &epoch);
    assert_eq!(again.settle(&epoch).leads_to, "green");
    assert_eq!(again.client().run("SELECT name FROM place"), "green");
}

#[test]
fn nobody_is_served_before_the_journal_can_be_read() {
    let mut journal = Server::start(ServerOptions::new(18)).unwrap();
    let lab = Lab::with_journal(Some(journal.url("postgres")));
    journal.stop(StopMode::Fast).unwrap();
    let gateway = lab.gateway();
    assert_eq!(gateway.status().gate.held, Some(HeldFor::Route));
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| gateway.client().run("SELECT name FROM place"));
        eventually("it waits", || gateway.status().gate.waiting == 1);
        let pause = gateway.try_pause(1, 1);
        assert_eq!(pause, Err(Refused::Held { database: "blue".to_owned() }));
        assert!(matches!(gateway.try_resume(None, None), Answer::Refused(Refused::Held { .. })));
        assert!(!waits.is_finished());
        journal.start_again().unwrap();
        assert_eq!(waits.join().unwrap(), "blue");
    });
    assert_eq!(gateway.status().gate.held, None);
}

#[test]
fn a_reload_is_refused_while_the_journal_is_gone_and_clients_go_on() {
    let mut journal = Server::start(ServerOptions::new(18)).unwrap();
    let lab = Lab::with_journal(Some(journal.url("postgres")));
    let gateway = lab.gateway();
    let mut client = gateway.client();
    assert_eq!(client.run("SELECT name FROM place"), "blue");
    journal.stop(StopMode::Fast).unwrap();
    assert!(matches!(gateway.answer(Request::Reload), Answer::Refused(Refused::Estate { .. })));
    assert_eq!(client.run("SELECT name FROM place"), "blue");
}

#[test]
fn a_gateway_that_no_epoch_counted_on_learns_of_a_flip_at_a_reload() {
    let lab = Lab::new();
    let routes = lab.routes();
    let (counted, forgotten) = (lab.gateway(), lab.setup.beside().start());
    let mut client = forgotten.client();
    assert_eq!(client.run("SELECT name FROM place"), "blue");
    let ready = counted.ready();
    let epoch = lab.open(&routes, &[&ready], LONG);
    counted.arm(&epoch);
    assert!(matches!(forgotten.answer(Request::Reload), Answer::Refused(Refused::Estate { .. })));
    lab.flip(&routes, &epoch);
    counted.settle(&epoch);
    assert!(matches!(forgotten.answer(Request::Reload), Answer::Reloaded));
    client.send(&query("SELECT name FROM place"));
    assert_eq!(client.until_ready().iter().find(|said| said.tag == b'D').unwrap().row(), [Some("green".to_owned())]);
}
