//! A coordinator that does everything in its turn.

use std::time::Duration;

use atalaya_gateway::admin::{HeldFor, Refused, Settlement};
use atalaya_route::Decision;
use atalaya_sandbox::eventually;

use super::lab::{LONG, Lab, Steered};
use crate::support::{Client, Gateway, query, tags};

const PLACE: &str = "SELECT name FROM place";

fn hold(gateway: &Gateway) -> Client {
    let mut held = gateway.client();
    held.send(&query(PLACE));
    eventually("it waits", || gateway.status().gate.waiting == 1);
    held
}

fn answer(held: &mut Client) -> String {
    held.until_ready().iter().find(|said| said.tag == b'D').unwrap().row()[0].clone().unwrap()
}

#[test]
fn arming_waits_for_those_who_run_and_holds_those_who_come() {
    let lab = Lab::new();
    let (gateway, routes) = (lab.gateway(), lab.routes());
    let mut running = gateway.client();
    running.run("BEGIN; UPDATE place SET name = name");
    let ready = gateway.ready();
    assert_eq!((ready.from.as_str(), ready.last_epoch, ready.running), ("blue", 0, 1));
    let epoch = lab.open(&routes, &[&ready], LONG);
    std::thread::scope(|scope| {
        let arming = scope.spawn(|| gateway.arm(&epoch));
        eventually("the gate is closed", || gateway.status().gate.held == Some(HeldFor::Epoch { epoch: 1 }));
        assert!(!arming.is_finished());
        let mut held = hold(&gateway);
        running.run("COMMIT");
        arming.join().unwrap();
        assert_eq!(gateway.status().gate.running, 0);
        // Asked again, since the answer was lost.
        gateway.arm(&epoch);
        lab.close(&routes, &epoch);
        assert_eq!(gateway.settle(&epoch).clients_held, 1);
        assert_eq!(answer(&mut held), "blue");
    });
}

#[test]
fn servers_that_nobody_needs_are_let_go_before_a_fence_waits_for_their_end() {
    let lab = Lab::new();
    let gateway = lab.gateway();
    let mut clients = [gateway.client(), gateway.client()];
    clients.iter_mut().for_each(|client| assert_eq!(client.run("BEGIN; SELECT name FROM place"), "blue"));
    assert_eq!(lab.sessions_at_blue(), 2);
    gateway.ready();
    assert_eq!(lab.sessions_at_blue(), 2, "they are in use");
    clients.iter_mut().for_each(|client| assert_eq!(client.run("COMMIT"), ""));
    eventually("they are gone", || gateway.try_ready("green").is_ok() && lab.sessions_at_blue() == 0);
    assert_eq!(clients[0].run(PLACE), "blue");
}

#[test]
fn after_a_flip_clients_go_on_at_the_new_server() {
    let lab = Lab::new();
    let (gateway, routes) = (lab.gateway(), lab.routes());
    let (mut bound, mut stays) = (gateway.client(), gateway.client());
    bound.run("CREATE TEMP TABLE t (x int)");
    stays.run("SET a.b = 'mine'");
    eventually("it is listed", || gateway.status().kept.len() == 1);
    let ready = gateway.ready();
    assert_eq!(ready.kept.len(), 1);
    assert!(ready.servers_open >= 1 && lab.sessions_at_green() == ready.servers_open, "connections are open before");
    let epoch = lab.open(&routes, &[&ready], LONG);
    gateway.arm(&epoch);
    let mut held = hold(&gateway);
    lab.fence(&[&ready]);
    assert!(matches!(lab.flip(&routes, &epoch), Decision::Flipped { .. }));
    let settled = gateway.settle(&epoch);
    assert_eq!((settled.decision.clone(), settled.leads_to.as_str()), (Settlement::Flipped, "green"));
    assert_eq!((settled.clients_held, settled.requests_refused), (1, 0));
    assert!(settled.paused_ms >= settled.longest_wait_ms);
    assert_eq!(answer(&mut held), "green");
    assert_eq!(stays.run("SELECT name, current_setting('a.b') FROM place"), "green|mine");
    assert_eq!(tags(&bound.until_end()), "E57P01");
    // Asked again, the same is answered; and the fence stands.
    assert_eq!(gateway.settle(&epoch), settled);
    assert!(lab.is_fenced());
    let status = gateway.status();
    assert_eq!((status.to.as_str(), status.led_by_epoch, status.gate.held), ("green", Some(1), None));
}

#[test]
fn who_waits_for_longer_than_is_allowed_is_counted_among_those_that_failed() {
    let lab = Lab::new();
    let (gateway, routes) = (lab.setup.clone().wait_seconds(1).start(), lab.routes());
    let mut client = gateway.client();
    let epoch = lab.open(&routes, &[&gateway.ready()], LONG);
    gateway.arm(&epoch);
    assert_eq!(client.error("SELECT 1"), "57P03");
    lab.flip(&routes, &epoch);
    let settled = gateway.settle(&epoch);
    assert_eq!((settled.clients_held, settled.requests_refused), (0, 1));
    // What others were refused before is none of the next epoch's.
    let epoch = lab.open(&routes, &[&gateway.try_ready("blue").unwrap()], LONG);
    gateway.arm(&epoch);
    lab.close(&routes, &epoch);
    assert_eq!(gateway.settle(&epoch).requests_refused, 0);
}

#[test]
fn who_is_bound_to_the_former_server_is_counted_and_ended() {
    let lab = Lab::new();
    let (gateway, routes) = (lab.gateway(), lab.routes());
    let mut bound = gateway.client();
    bound.run("CREATE TEMP TABLE t (x int)");
    eventually("it is listed", || gateway.status().kept.len() == 1);
    let epoch = lab.open(&routes, &[&gateway.ready()], LONG);
    gateway.arm(&epoch);
    lab.flip(&routes, &epoch);
    assert_eq!(gateway.settle(&epoch).clients_ended, 1);
    assert_eq!(tags(&bound.until_end()), "E57P01");
}

#[test]
fn after_a_close_the_fence_is_lifted_and_clients_go_on_at_the_old_server() {
    let lab = Lab::new();
    let (gateway, routes) = (lab.gateway(), lab.routes());
    gateway.client().run(PLACE);
    let ready = gateway.ready();
    let epoch = lab.open(&routes, &[&ready], LONG);
    gateway.arm(&epoch);
    let mut held = hold(&gateway);
    lab.fence(&[&ready]);
    lab.close(&routes, &epoch);
    let settled = gateway.settle(&epoch);
    let closed = Settlement::Closed { by: "coordinator".to_owned(), reason: "a test".to_owned() };
    assert_eq!((settled.decision, settled.leads_to.as_str(), settled.clients_ended), (closed, "blue", 0));
    assert_eq!(answer(&mut held), "blue");
    assert!(!lab.is_fenced());
    assert_eq!(gateway.status().led_by_epoch, None);
}

#[test]
fn the_fence_is_lifted_over_another_connection_when_the_kept_one_was_ended() {
    let lab = Lab::new();
    let (gateway, routes) = (lab.gateway(), lab.routes());
    let ready = gateway.ready();
    let epoch = lab.open(&routes, &[&ready], LONG);
    gateway.arm(&epoch);
    lab.fence(&[]);
    lab.close(&routes, &epoch);
    assert_eq!(gateway.settle(&epoch).leads_to, "blue");
    assert!(!lab.is_fenced());
}

#[test]
fn the_fence_is_lifted_over_the_kept_connection_where_nobody_gets_in_by_another() {
    let lab = Lab::new();
    let (gateway, routes) = (lab.gateway(), lab.routes());
    let ready = gateway.ready();
    let epoch = lab.open_lifted_by(&routes, &[&ready], LONG, &lab.opening_again());
    gateway.arm(&epoch);
    lab.fence(&[&ready]);
    lab.shut();
    lab.close(&routes, &epoch);
    assert_eq!(gateway.settle(&epoch).leads_to, "blue");
    assert!(!lab.is_fenced());
    assert_eq!(gateway.client().run(PLACE), "blue");
}

#[test]
fn there_and_back_and_there_again() {
    let lab = Lab::new();
    let (gateway, routes) = (lab.gateway(), lab.routes());
    let mut client = gateway.client();
    for (number, to) in [(1, "green"), (2, "blue"), (3, "green")] {
        let ready = gateway.try_ready(to).unwrap();
        assert_eq!(ready.last_epoch, number - 1);
        let epoch = lab.open(&routes, &[&ready], LONG);
        gateway.arm(&epoch);
        lab.flip(&routes, &epoch);
        assert_eq!(gateway.settle(&epoch).leads_to, to);
        assert_eq!(client.run(PLACE), to);
    }
}

#[test]
fn of_two_gates_one_cannot_drain_and_the_other_opens_too() {
    let lab = Lab::new();
    let (one, other, routes) = (lab.gateway(), lab.setup.beside().start(), lab.routes());
    // Who logs in first needs a server.
    one.client().run(PLACE);
    let (one_ready, other_ready) = (one.ready(), other.ready());
    let epoch = lab.open(&routes, &[&one_ready, &other_ready], LONG);
    let mut running = other.client();
    running.run("BEGIN");
    one.arm(&epoch);
    match other.try_arm(epoch.epoch, Duration::from_millis(200)) {
        Err(Refused::NotDrained { running: 1, .. }) => {}
        unexpected => panic!("{unexpected:?}"),
    }
    // It has closed the epoch, so that nobody can flip it any more, and is open.
    assert_eq!(running.run("COMMIT"), "");
    assert_eq!(other.client().run(PLACE), "blue");
    match lab.flip(&routes, &epoch) {
        Decision::Closed { by, reason, .. } => {
            assert_eq!(by, other_ready.gate);
            assert!(reason.contains("1 transactions still ran"), "{reason}");
        }
        flipped => panic!("{flipped:?}"),
    }
    let mut held = hold(&one);
    let settled = one.settle(&epoch);
    assert!(matches!(settled.decision, Settlement::Closed { by, .. } if by == other_ready.gate));
    assert_eq!(answer(&mut held), "blue");
    // The other one is told what it did.
    assert!(matches!(other.settle(&epoch).decision, Settlement::Closed { .. }));
}

#[test]
fn two_gates_are_led_by_one_decision() {
    let lab = Lab::new();
    let gates = [lab.gateway(), lab.setup.beside().start()];
    let routes = lab.routes();
    let ready: Vec<_> = gates.iter().map(Steered::ready).collect();
    assert_ne!(ready[0].gate, ready[1].gate);
    let epoch = lab.open(&routes, &ready.iter().collect::<Vec<_>>(), LONG);
    gates.iter().for_each(|gate| gate.arm(&epoch));
    lab.fence(&ready.iter().collect::<Vec<_>>());
    lab.flip(&routes, &epoch);
    for gate in &gates {
        assert_eq!(gate.settle(&epoch).leads_to, "green");
        assert_eq!(gate.client().run(PLACE), "green");
    }
}

#[test]
fn who_is_told_of_a_later_epoch_only_has_the_one_that_it_is_shut_for_behind_it_first() {
    let lab = Lab::new();
    let (gateway, other, routes) = (lab.gateway(), lab.setup.beside().start(), lab.routes());
    let (ready, other_ready) = (gateway.ready(), other.ready());
    let first = lab.open(&routes, &[&ready, &other_ready], LONG);
    [&gateway, &other].iter().for_each(|gate| gate.arm(&first));
    lab.flip(&routes, &first);
    assert_eq!(other.settle(&first).leads_to, "green");
    // Nobody reaches it any more, and clients are led back behind the other one.
    let second = lab.open(&routes, &[&other.try_ready("blue").unwrap()], LONG);
    other.arm(&second);
    lab.flip(&routes, &second);
    assert_eq!(other.settle(&second).leads_to, "blue");
    assert_eq!(gateway.status().gate.held, Some(HeldFor::Epoch { epoch: first.epoch }));
    assert_eq!(gateway.settle(&second).leads_to, "blue");
    let status = gateway.status();
    assert_eq!((status.gate.held, status.led_by_epoch), (None, Some(second.epoch)));
    assert_eq!(gateway.client().run(PLACE), "blue");
}

#[test]
fn an_armed_gateway_ends_its_sessions_at_the_server_that_may_be_left() {
    let lab = Lab::new();
    let (gateway, routes) = (lab.gateway(), lab.routes());
    let mut clients = [gateway.client(), gateway.client(), gateway.client()];
    clients.iter_mut().for_each(|client| assert_eq!(client.run("BEGIN; SELECT name FROM place"), "blue"));
    let ready = gateway.ready();
    assert_eq!(clients[0].run("COMMIT"), "");
    let epoch = lab.open(&routes, &[&ready], LONG);
    std::thread::scope(|scope| {
        let arming = scope.spawn(|| gateway.arm(&epoch));
        eventually("the one that nobody uses is ended", || lab.sessions_at_blue() == 2);
        assert_eq!(clients[1].run("COMMIT"), "");
        eventually("that of a transaction that is over is ended while another one runs", || {
            lab.sessions_at_blue() == 1
        });
        assert_eq!(clients[2].run("COMMIT"), "");
        arming.join().unwrap();
    });
    eventually("the last one is ended, too", || lab.sessions_at_blue() == 0);
    lab.close(&routes, &epoch);
    assert_eq!(gateway.settle(&epoch).leads_to, "blue");
    clients.iter_mut().for_each(|client| assert_eq!(client.run(PLACE), "blue"));
}
