//! An epoch that nobody decides, and a journal that does not answer.

use std::time::Duration;

use atalaya_gateway::admin::{HeldFor, Refused, Settlement};
use atalaya_route::Decision;
use atalaya_sandbox::{Server, ServerOptions, StopMode, eventually};

use super::lab::{LONG, Lab, Steered};
use crate::support::query;

/// A lease that a test waits for the end of.
const SHORT: Duration = Duration::from_secs(1);

#[test]
fn at_the_end_of_the_lease_the_gate_closes_the_epoch_lifts_the_fence_and_opens() {
    let lab = Lab::new();
    let (gateway, routes) = (lab.gateway(), lab.routes());
    gateway.client().run("SELECT 1");
    let ready = gateway.ready();
    let epoch = lab.open(&routes, &[&ready], SHORT);
    gateway.arm(&epoch);
    lab.fence(&[&ready]);
    let mut held = gateway.client();
    held.send(&query("SELECT name FROM place"));
    assert_eq!(held.until_ready()[1].row(), [Some("blue".to_owned())]);
    assert!(!lab.is_fenced());
    // A coordinator that comes too late is told so, and so is one that asks the gate.
    match lab.flip(&routes, &epoch) {
        Decision::Closed { by, reason, epoch: 1 } => {
            assert_eq!((by, reason.as_str()), (ready.gate, "its lease of 1000 ms was over"));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(gateway.settle(&epoch).decision, Settlement::Closed { .. }));
    // And the next attempt goes well.
    let ready = gateway.ready();
    let epoch = lab.open(&routes, &[&ready], LONG);
    gateway.arm(&epoch);
    lab.flip(&routes, &epoch);
    assert_eq!(gateway.settle(&epoch).leads_to, "green");
}

#[test]
fn of_two_gates_that_are_left_alone_one_closes_the_epoch_and_both_open() {
    let lab = Lab::new();
    let gates = [lab.gateway(), lab.setup.beside().start()];
    let routes = lab.routes();
    let mut held: Vec<_> = gates.iter().map(|gate| gate.client()).collect();
    let ready: Vec<_> = gates.iter().map(Steered::ready).collect();
    let epoch = lab.open(&routes, &ready.iter().collect::<Vec<_>>(), SHORT);
    gates.iter().for_each(|gate| gate.arm(&epoch));
    lab.fence(&ready.iter().collect::<Vec<_>>());
    for client in &mut held {
        client.send(&query("SELECT name FROM place"));
        assert_eq!(client.until_ready()[1].row(), [Some("blue".to_owned())]);
    }
    assert!(!lab.is_fenced());
    let by = match lab.decision(&routes, &epoch) {
        Some(Decision::Closed { by, .. }) => by,
        other => panic!("{other:?}"),
    };
    assert!(ready.iter().any(|ready| ready.gate == by));
    for gate in &gates {
        assert!(matches!(gate.settle(&epoch).decision, Settlement::Closed { by: told, .. } if told == by));
    }
}

#[test]
fn a_fence_that_cannot_be_lifted_keeps_the_gate_shut_until_it_can() {
    let lab = Lab::new();
    let (gateway, routes) = (lab.gateway(), lab.routes());
    let mut held = gateway.client();
    let ready = gateway.ready();
    let epoch = lab.open_lifted_by(&routes, &[&ready], LONG, "TABLE public.may_be_lifted");
    gateway.arm(&epoch);
    lab.fence(&[&ready]);
    lab.close(&routes, &epoch);
    assert!(matches!(gateway.try_settle(1), Err(Refused::Fenced { at, .. }) if at == "blue"));
    held.send(&query("SELECT name FROM place"));
    assert_eq!(gateway.status().gate.held, Some(HeldFor::Epoch { epoch: 1 }));
    assert!(lab.is_fenced(), "a lift is made whole or not at all");
    lab.run_at_blue("CREATE TABLE may_be_lifted ()");
    assert_eq!(held.until_ready()[1].row(), [Some("blue".to_owned())]);
    assert!(!lab.is_fenced());
    assert!(matches!(gateway.settle(&epoch).decision, Settlement::Closed { .. }));
}

#[test]
fn a_flip_that_the_gate_was_not_told_of_is_found_at_the_end_of_the_lease() {
    let lab = Lab::new();
    let (gateway, routes) = (lab.gateway(), lab.routes());
    let ready = gateway.ready();
    let epoch = lab.open(&routes, &[&ready], SHORT);
    gateway.arm(&epoch);
    let mut held = gateway.client();
    held.send(&query("SELECT name FROM place"));
    let decision = lab.flip(&routes, &epoch);
    let place = held.until_ready()[1].row()[0].clone().unwrap();
    // On a machine so slow that the lease was over before the flip, it is the other way round; never both.
    match decision {
        Decision::Flipped { .. } => assert_eq!(place, "green"),
        Decision::Closed { .. } => assert_eq!(place, "blue"),
    }
    assert_eq!(lab.decision(&routes, &epoch), Some(decision));
}

#[test]
fn a_drain_that_lasts_longer_than_the_lease_ends_with_it() {
    let lab = Lab::new();
    let (gateway, routes) = (lab.gateway(), lab.routes());
    let mut running = gateway.client();
    running.run("BEGIN");
    let ready = gateway.ready();
    let epoch = lab.open(&routes, &[&ready], SHORT);
    match gateway.try_arm(epoch.epoch, LONG) {
        Err(Refused::NotDrained { .. } | Refused::Decided { .. }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(running.run("SELECT name FROM place"), "blue");
    eventually("the gate is open", || gateway.status().gate.held.is_none());
    assert!(matches!(lab.decision(&routes, &epoch), Some(Decision::Closed { .. })));
}

#[test]
fn a_gate_whose_journal_is_gone_stays_shut_and_opens_when_it_is_back() {
    let mut journal = Server::start(ServerOptions::new(18)).unwrap();
    let lab = Lab::with_journal(Some(journal.url("postgres")));
    let gateway = lab.gateway();
    let mut held = gateway.client();
    let ready = gateway.ready();
    let epoch = {
        let routes = lab.routes();
        let epoch = lab.open(&routes, &[&ready], SHORT);
        gateway.arm(&epoch);
        epoch
    };
    lab.fence(&[&ready]);
    journal.stop(StopMode::Immediate).unwrap();
    held.send(&query("SELECT name FROM place"));
    eventually("the lease is over for long", || gateway.status().gate.paused_ms.is_some_and(|ms| ms > 3_000));
    assert_eq!(gateway.status().gate.held, Some(HeldFor::Epoch { epoch: 1 }));
    assert!(lab.is_fenced(), "nothing is lifted before it is decided");
    assert!(matches!(gateway.try_settle(1), Err(Refused::Journal { .. })));
    journal.start_again().unwrap();
    assert_eq!(held.until_ready()[1].row(), [Some("blue".to_owned())]);
    assert!(!lab.is_fenced());
    let decision = lab.decision(&lab.routes(), &epoch);
    assert!(matches!(decision, Some(Decision::Closed { by, .. }) if by == ready.gate));
}
