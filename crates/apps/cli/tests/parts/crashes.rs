//! A coordinator that is killed at each step that a real command comes by, before the step's effect and after it.

use super::ground::{BACK, NEW, OLD, Parts, REHEARSAL, THERE};

/// What the same command does about what a killed one has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Nothing was decided: it goes on as if it had just begun.
    GoesOn,
    /// Clients were held, and stay where they were.
    Stays,
    /// Clients are led away.
    Ends,
}

/// Places behind the decision to lead clients away, and before it; those of this list need a flip.
const OF_A_FLIP: [(&str, Then); 18] = [
    ("way-back-slot-made", Then::GoesOn),
    ("cutover-checked", Then::GoesOn),
    ("cutover-opening", Then::GoesOn),
    ("cutover-opened", Then::Stays),
    ("cutover-armed", Then::Stays),
    ("cutover-fencing", Then::Stays),
    ("cutover-fenced", Then::Stays),
    ("cutover-marked", Then::Stays),
    ("cutover-proven", Then::Stays),
    ("cutover-sequences-set", Then::Stays),
    ("cutover-rechecking", Then::Stays),
    ("cutover-flipping", Then::Stays),
    ("cutover-flipped", Then::Ends),
    ("cutover-admitted", Then::Ends),
    ("cutover-settled", Then::Ends),
    ("cutover-reported", Then::Ends),
    ("cutover-taking-over", Then::Ends),
    ("cutover-taken-over", Then::Ends),
];

/// Places by which clients go on where they are.
const OF_A_REHEARSAL: [(&str, Then); 5] = [
    ("cutover-closing", Then::Stays),
    ("cutover-closed", Then::Stays),
    ("cutover-lifted", Then::Stays),
    ("cutover-settling", Then::Stays),
    ("cutover-settled", Then::Stays),
];

/// Kills a course at a place, runs the same command again, and looks where everybody is.
fn killed_at(parts: &Parts, place: &str, then: Then, rehearses: bool) {
    let before = parts.led_to();
    let (words, other) = match (before, rehearses) {
        (_, true) => (REHEARSAL, OLD),
        (OLD, _) => (THERE, NEW),
        (_, _) => (BACK, OLD),
    };
    let words = parts.course(words, "20s");
    parts.until_committed(5);
    if before == OLD {
        // A process that goes on with another one's work has proven nothing itself.
        parts.prove();
    }
    let killed = parts.ask_until(place, &words);
    assert_eq!(killed.signal, Some(9), "{place}: {}\n{}", killed.stdout, killed.stderr);
    let again = parts.ask(&words);
    let said = format!("{place}: {}\n{}", again.stdout, again.stderr);
    let serves = match then {
        Then::Stays => {
            assert_eq!(again.code, Some(1), "{said}");
            assert!(again.stderr.contains("it was interrupted while clients were held"), "{said}");
            assert!(again.stderr.contains("they are served by `shop"), "{said}");
            before
        }
        Then::GoesOn | Then::Ends => {
            assert_eq!(again.code, Some(0), "{said}");
            assert!(again.stdout.contains("\"outcome\":\"flipped\""), "{said}");
            assert_eq!(again.stdout.contains("\"resumed\":true"), then == Then::Ends, "{said}");
            other
        }
    };
    parts.assert_served_by(serves, place);
}

/// One ground for all; courses go there and back as they come.
fn killed_at_each(of_a_flip: &[(&str, Then)], of_a_rehearsal: &[(&str, Then)]) {
    let mut parts = Parts::with_gateways(1);
    parts.start_clients();
    for (place, then) in of_a_flip {
        killed_at(&parts, place, *then, false);
    }
    if parts.led_to() == NEW {
        parts.lead(BACK);
    }
    for (place, then) in of_a_rehearsal {
        killed_at(&parts, place, *then, true);
    }
    parts.prove();
    parts.lead(THERE);
    parts.assert_served_by(NEW, "the next command");
    parts.reconcile(&[]);
}

/// Those of which the test of the ledger that is led there and back says nothing.
#[test]
fn a_coordinator_that_is_killed_before_or_after_an_effect_leaves_one_server_and_the_next_command_works() {
    let chosen =
        ["way-back-slot-made", "cutover-opening", "cutover-sequences-set", "cutover-reported", "cutover-taking-over"];
    let of_a_flip: Vec<_> = OF_A_FLIP.into_iter().filter(|(place, _)| chosen.contains(place)).collect();
    killed_at_each(&of_a_flip, &OF_A_REHEARSAL[1..2]);
}

#[test]
#[ignore = "a minute and more of kills: make soak"]
fn a_coordinator_that_is_killed_at_every_place_leaves_one_server_and_the_next_command_works() {
    killed_at_each(&OF_A_FLIP, &OF_A_REHEARSAL);
}
