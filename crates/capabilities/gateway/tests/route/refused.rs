//! What is refused, and by what name.

use atalaya_gateway::admin::{Answer, Refused, Request};

use super::lab::{LONG, Lab, Steered};
use crate::support::gateway;

#[test]
fn a_gateway_without_a_journal_is_never_ready() {
    let gateway = gateway();
    assert_eq!(gateway.try_ready("green").unwrap_err(), Refused::NoJournal);
    assert_eq!(gateway.try_arm(1, LONG), Err(Refused::NoJournal));
    assert_eq!(gateway.try_settle(1), Err(Refused::NoJournal));
}

#[test]
fn places_that_are_none_or_let_nobody_in() {
    let lab = Lab::new();
    let gateway = lab.gateway();
    assert_eq!(gateway.try_ready("red").unwrap_err(), Refused::NoPlace { to: "red".to_owned() });
    assert_eq!(gateway.try_ready("blue").unwrap_err(), Refused::Elsewhere { leads_to: "blue".to_owned() });
    let other = gateway.answer(Request::Ready { database: "shop".to_owned(), to: "green".to_owned() });
    let refused = Refused::NoRoute { database: "shop".to_owned() };
    assert!(matches!(other, Answer::Refused(answered) if answered == refused));
    atalaya_sandbox::fresh_database(16)
        .unwrap()
        .0
        .run_sql("postgres", &format!("ALTER ROLE {} PASSWORD 'another'", lab.setup.server_user()))
        .unwrap();
    assert!(matches!(gateway.try_ready("green"), Err(Refused::PlaceClosed { to, .. }) if to == "green"));
}

#[test]
fn an_epoch_arms_only_the_gates_that_it_names_and_that_are_ready_for_it() {
    let lab = Lab::new();
    let (gateway, other, routes) = (lab.gateway(), lab.setup.beside().start(), lab.routes());
    assert_eq!(gateway.try_arm(1, LONG), Err(Refused::NoEpoch { epoch: 1 }));
    let (ready, others) = (gateway.ready(), other.ready());
    let epoch = lab.open(&routes, &[&ready], LONG);
    assert_eq!(other.try_arm(1, LONG), Err(Refused::NotNamed { gate: others.gate }));
    assert_eq!(other.try_ready("green").unwrap_err(), {
        Refused::EpochOpen { epoch: 1, migration: "blue-to-green".to_owned() }
    });
    assert_eq!(gateway.try_settle(1), Err(Refused::Undecided { epoch: 1 }));
    lab.close(&routes, &epoch);
    assert_eq!(gateway.try_arm(1, LONG), Err(Refused::Decided { epoch: 1 }));
    // What was made ready is made ready for once.
    let ready = gateway.ready();
    let epoch = lab.open(&routes, &[&ready], LONG);
    gateway.arm(&epoch);
    lab.close(&routes, &epoch);
    gateway.settle(&epoch);
    let epoch = lab.open(&routes, &[&ready], LONG);
    assert_eq!(gateway.try_arm(epoch.epoch, LONG), Err(Refused::NotReady { to: "green".to_owned() }));
    // And reading the estate again undoes it: users and secrets may be other ones.
    lab.close(&routes, &epoch);
    let ready = gateway.ready();
    assert!(matches!(gateway.answer(Request::Reload), Answer::Reloaded));
    let epoch = lab.open(&routes, &[&ready], LONG);
    assert_eq!(gateway.try_arm(epoch.epoch, LONG), Err(Refused::NotReady { to: "green".to_owned() }));
    assert_eq!(gateway.client().run("SELECT name FROM place"), "blue");
}

#[test]
fn a_pause_and_an_epoch_exclude_each_other() {
    let lab = Lab::new();
    let (gateway, routes) = (lab.gateway(), lab.routes());
    let ready = gateway.ready();
    let epoch = lab.open(&routes, &[&ready], LONG);
    let pause = gateway.pause();
    assert_eq!(gateway.try_arm(1, LONG), Err(Refused::Paused { epoch: pause }));
    gateway.resume(pause);
    gateway.arm(&epoch);
    let held = Refused::Held { database: "blue".to_owned() };
    assert_eq!(gateway.try_pause(1, 1), Err(held.clone()));
    for to in [None, Some("green")] {
        assert!(matches!(gateway.try_resume(None, to), Answer::Refused(refused) if refused == held));
    }
    assert_eq!(gateway.try_ready("green").unwrap_err(), held);
    assert!(matches!(gateway.answer(Request::Reload), Answer::Refused(Refused::Estate { .. })));
    lab.flip(&routes, &epoch);
    gateway.settle(&epoch);
    // Where the journal leads, nobody leads away without it.
    let pause = gateway.pause();
    let away = gateway.try_resume(Some(pause), Some("blue"));
    assert!(matches!(away, Answer::Refused(Refused::Routed { to }) if to == "green"));
    gateway.resume(pause);
    assert_eq!(gateway.client().run("SELECT name FROM place"), "green");
}
