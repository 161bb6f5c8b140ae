//! A journal whose answers come late: what they say is from before what others have heard since.

use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_eventstore::{Options, Store};
use atalaya_gateway::admin::{Refused, Settlement};
use atalaya_route::Routes;
use atalaya_sandbox::{Proxy, eventually, fresh_database};

use super::lab::{LONG, Lab, Steered};
use crate::support::Gateway;

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
