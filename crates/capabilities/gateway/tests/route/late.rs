//! A journal whose answers come late: what they say is from before what others have heard since.

use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_eventstore::{Options, Store};
use atalaya_gateway::admin::{Refused, Settlement};
use atalaya_route::{Decision, Routes};
use atalaya_sandbox::{Proxy, eventually, fresh_database};

use super::lab::{LONG, Lab, Steered};
use crate::support::Gateway;

/// Less than what a gateway waits for the journal.
const LATE: Duration = Duration::from_secs(4);

/// A gateway whose way to the journal can be long, and a coordinator with a short one.
struct Far {
    to_journal: Proxy,
    lab: Lab,
    gateway: Gateway,
    routes: Routes,
}

impl Far {
    fn new() -> Self {
        let (server, database) = fresh_database(18).unwrap();
        let url = server.url(&database);
        let to_journal = Proxy::start(server.port()).unwrap();
        let lab = Lab::with_journal(Some(to_journal.url(&url)));
        let url = ConnectionUrl::parse(&url).unwrap();
        let open = Store::open_postgres(&url, Options::default());
        let routes = Routes::new(lab.runtime.block_on(open).unwrap());
        let gateway = lab.gateway();
        // From then on it takes one answer to read an epoch.
        let epoch = lab.open(&routes, &[&gateway.ready()], LONG);
        gateway.arm(&epoch);
        lab.close(&routes, &epoch);
        gateway.settle(&epoch);
        Self { to_journal, lab, gateway, routes }
    }
}

#[test]
fn an_answer_from_before_the_decision_closes_no_gate_behind_it() {
    let Far { to_journal, lab, gateway, routes } = Far::new();
    let epoch = lab.open(&routes, &[&gateway.ready()], LONG);
    std::thread::scope(|scope| {
        to_journal.answer_after(Duration::from_secs(2));
        let arming = scope.spawn(|| gateway.try_arm(epoch.epoch, LONG));
        eventually("the journal has said that it is open", || to_journal.late() > 0);
        to_journal.answer_after(Duration::ZERO);
        lab.close(&routes, &epoch);
        // It hears of the decision before that arrives; or, on a slow machine, behind it.
        assert!(matches!(gateway.settle(&epoch).decision, Settlement::Closed { .. }));
        assert_eq!(arming.join().unwrap(), Err(Refused::Decided { epoch: 2 }));
    });
    assert_eq!(gateway.status().gate.held, None);
    assert_eq!(gateway.client().run("SELECT name FROM place"), "blue");
}

#[test]
fn an_epoch_that_is_shown_when_its_lease_is_over_holds_nobody() {
    let Far { to_journal, lab, gateway, routes } = Far::new();
    let ready = gateway.ready();
    let lease = Duration::from_millis(100);
    let epoch = lab.open(&routes, &[&ready], lease);
    to_journal.answer_after(lease * 2);
    match gateway.try_arm(epoch.epoch, LONG) {
        Err(Refused::Late { epoch: 2, waited_ms }) => assert!(waited_ms >= 100, "{waited_ms}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(gateway.status().gate.held, None);
    assert_eq!(lab.decision(&routes, &epoch), None, "who holds nobody has nothing to close");
    // And the next attempt goes well.
    to_journal.answer_after(Duration::ZERO);
    lab.close(&routes, &epoch);
    let epoch = lab.open(&routes, &[&gateway.ready()], LONG);
    gateway.arm(&epoch);
    lab.flip(&routes, &epoch);
    assert_eq!(gateway.settle(&epoch).leads_to, "green");
}

#[test]
fn the_time_to_drain_is_counted_from_when_it_was_asked_for() {
    let Far { to_journal, lab, gateway, routes } = Far::new();
    let limit = Duration::from_secs(3);
    let mut running = gateway.client();
    running.run("BEGIN");
    let epoch = lab.open(&routes, &[&gateway.ready()], LONG);
    std::thread::scope(|scope| {
        to_journal.answer_after(limit);
        let arming = scope.spawn(|| gateway.try_arm(epoch.epoch, limit));
        eventually("the journal has said what it is", || to_journal.late() > 0);
        to_journal.answer_after(Duration::ZERO);
        match arming.join().unwrap() {
            Err(Refused::NotDrained { running: 1, waited_ms }) => {
                assert!(u128::from(waited_ms) < limit.as_millis(), "{waited_ms} ms more");
            }
            other => panic!("{other:?}"),
        }
    });
    assert!(matches!(lab.decision(&routes, &epoch), Some(Decision::Closed { .. })));
    assert_eq!(running.run("COMMIT"), "");
}

#[test]
fn what_is_made_ready_for_the_next_epoch_is_none_of_an_earlier_ones() {
    let Far { to_journal, lab, gateway, routes } = Far::new();
    // On a machine that is slow the gate may be closed before anything is made ready.
    const TRIES: usize = 5;
    let made_ready_before = || {
        let epoch = lab.open(&routes, &[&gateway.ready()], LONG);
        std::thread::scope(|scope| {
            to_journal.answer_after(LATE);
            let arming = scope.spawn(|| gateway.try_arm(epoch.epoch, LONG));
            eventually("the journal has said that it is open", || to_journal.late() > 0);
            to_journal.answer_after(Duration::ZERO);
            lab.close(&routes, &epoch);
            // Without a word to the gateway: whoever has decided it was killed.
            let next = gateway.try_ready("green");
            if matches!(next, Err(Refused::Held { .. })) {
                gateway.settle(&epoch);
                return None;
            }
            assert_eq!(arming.join().unwrap(), Err(Refused::Decided { epoch: epoch.epoch }));
            Some(next.unwrap())
        })
    };
    let next = (0..TRIES).find_map(|_| made_ready_before()).unwrap();
    assert_eq!(gateway.status().gate.held, None);
    let epoch = lab.open(&routes, &[&next], LONG);
    gateway.arm(&epoch);
    lab.flip(&routes, &epoch);
    assert_eq!(gateway.settle(&epoch).leads_to, "green");
}
