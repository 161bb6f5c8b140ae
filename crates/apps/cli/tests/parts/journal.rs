//! A journal that cannot be reached while clients are held.

use std::time::Duration;

use atalaya_sandbox::StopMode;

use super::ground::{NEW, OLD, Parts, THERE};

/// How it is out of reach.
#[derive(Clone, Copy, Debug)]
enum Gone {
    /// Its server is down.
    Stopped,
    /// Nothing comes from it, and nothing that is sent arrives.
    Silent,
}

fn lose(parts: &mut Parts, gone: Gone) {
    match gone {
        Gone::Stopped => parts.journal.stop(StopMode::Immediate).unwrap(),
        Gone::Silent => {
            parts.to_journal.cut();
            parts.gates.iter().for_each(super::gate::Gate::cut_off_from_the_journal);
        }
    }
}

fn find(parts: &mut Parts, gone: Gone) {
    match gone {
        Gone::Stopped => parts.journal.start_again().unwrap(),
        Gone::Silent => {
            parts.to_journal.mend();
            parts.gates.iter().for_each(super::gate::Gate::mend);
        }
    }
}

/// Loses it at a place, until the command has ended. Behind a gate that was closed nobody is served then, since nobody knows by
/// whom; one that cannot read for what it is to close does not, and one that has read the decision has opened.
fn lost_at(parts: &mut Parts, place: &str, gone: Gone, serves: u16) {
    let what = format!("{gone:?} at {place}");
    parts.until_committed(5);
    let halted = parts.halted(THERE, place, 15);
    lose(parts, gone);
    halted.go_on();
    let ended = halted.wait();
    let said = format!("{what}: {}\n{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code, Some(1), "{said}");
    assert!(ended.stderr.contains("journal"), "{said}");
    assert!(ended.stderr.contains("atalaya migrate cutover shop-to-18"), "{said}");
    let meanwhile: &[Option<u16>] = match place {
        "cutover-opened" => &[Some(OLD)],
        // Gateways are told beside that.
        "cutover-admitted" => &[None, Some(NEW)],
        _ => &[None],
    };
    for gate in &parts.gates {
        let look = async { tokio::time::timeout(Duration::from_secs(1), gate.served_by()).await };
        let served_by = parts.runtime.block_on(look).ok().flatten();
        assert!(meanwhile.contains(&served_by), "{served_by:?}: {said}");
    }
    find(parts, gone);
    // An epoch that no gate has closed for is closed by none at the end of its lease: the next command does it.
    if place != "cutover-opened" {
        parts.assert_served_by(serves, &said);
    }
    // What the command has left is ended by the next one.
    let again = parts.ask(&parts.course(THERE, "20s"));
    let said = format!("{what}: {}\n{}", again.stdout, again.stderr);
    assert_eq!(again.code, Some(if serves == NEW { 0 } else { 1 }), "{said}");
    parts.assert_served_by(serves, &said);
}

#[test]
fn gates_are_shut_while_the_journal_cannot_say_what_was_decided_and_go_on_by_themselves() {
    let mut parts = Parts::with_gateways(2);
    parts.start_clients();
    lost_at(&mut parts, "cutover-flipping", Gone::Stopped, OLD);
    parts.reconcile(&[]);
}

#[test]
#[ignore = "minutes: make soak"]
fn a_journal_that_is_lost_at_any_place_is_waited_for() {
    let mut parts = Parts::with_gateways(2);
    parts.start_clients();
    for gone in [Gone::Stopped, Gone::Silent] {
        for place in ["cutover-opened", "cutover-armed", "cutover-fenced", "cutover-sequences-set", "cutover-flipping"]
        {
            lost_at(&mut parts, place, gone, OLD);
        }
        for place in ["cutover-flipped", "cutover-admitted"] {
            lost_at(&mut parts, place, gone, NEW);
            parts.lead(super::ground::BACK);
        }
    }
    parts.reconcile(&[]);
}
