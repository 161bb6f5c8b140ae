//! Two commands at once, of the same migration.

use super::ground::{BACK, NEW, OLD, Parts, THERE};
use crate::support::{Ran, Running};

const REMOVE: &[&str] = &["migrate", "way-back", "remove", "shop-to-18"];
const MAKE: &[&str] = &["migrate", "way-back", "make", "shop-to-18"];
const FINISH: &[&str] = &["migrate", "finish", "shop-to-18"];

fn said(ran: &Ran) -> String {
    format!("{:?}: {}\n{}", ran.code, ran.stdout, ran.stderr)
}

/// Both to their end.
fn both(parts: &Parts, one: &[&str], other: &[&str]) -> [Ran; 2] {
    let running: [Running; 2] = [one, other].map(|words| parts.spawn(&parts.course(words, "20s"), ""));
    running.map(Running::wait)
}

#[test]
fn of_two_cutovers_one_leads_clients_and_the_other_waits_for_it() {
    let mut parts = Parts::with_gateways(1);
    parts.start_clients();
    for (round, words) in [THERE, BACK, THERE].into_iter().enumerate() {
        let serves = if words == THERE { NEW } else { OLD };
        let ended = both(&parts, words, words);
        for ran in &ended {
            // One that comes when it is over finds clients there.
            assert!(matches!(ran.code, Some(0 | 4)), "{}", said(ran));
        }
        assert!(ended.iter().any(|ran| ran.code == Some(0)), "{} {}", said(&ended[0]), said(&ended[1]));
        assert_eq!(parts.standing().last_epoch, u64::try_from(round).unwrap() + 1, "one epoch for both");
        parts.assert_served_by(serves, "both");
        parts.until_committed(5);
    }
    // One there, one back: whichever comes first, clients end where the last of them led, and nowhere between.
    let [back, there] = both(&parts, BACK, THERE);
    let codes = [back.code, there.code];
    assert!(codes.contains(&Some(0)), "{} {}", said(&back), said(&there));
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 1 | 4))), "{} {}", said(&back), said(&there));
    parts.assert_served_by(parts.led_to(), "there and back");
    parts.reconcile(&[]);
}

/// Between the checks and the epoch nothing stands in the journal yet.
#[test]
fn nothing_ends_a_move_or_its_way_back_between_the_checks_and_the_epoch() {
    let mut parts = Parts::with_gateways(1);
    parts.start_clients();
    let made = parts.ask(MAKE);
    assert_eq!(made.code, Some(0), "{}", said(&made));
    let halted = parts.halted(THERE, "cutover-opening", "20s");
    for words in [REMOVE, MAKE, FINISH] {
        let refused = parts.ask(words);
        assert_eq!(refused.code, Some(4), "{words:?}: {}", said(&refused));
        assert!(refused.stderr.contains("another command is at work on the move"), "{words:?}: {}", refused.stderr);
    }
    halted.go_on();
    let led = halted.wait();
    // Halted for longer than its lease of the saga it gives up what it holds, and goes on at the next call.
    assert!(matches!(led.code, Some(0 | 1)), "{}", said(&led));
    assert_eq!(led.code == Some(0), parts.led_to() == NEW, "{}", said(&led));
    parts.assert_served_by(parts.led_to(), "led");
    if parts.led_to() == NEW {
        parts.lead(BACK);
    }

    // And the other way round.
    let mut removing = parts.spawn(REMOVE, "way-back-left:1:stop");
    removing.wait_for_halt();
    let refused = parts.ask(&parts.course(THERE, "20s"));
    assert_eq!(refused.code, Some(4), "{}", said(&refused));
    assert!(refused.stderr.contains("another command is at work on the move"), "{}", said(&refused));
    parts.assert_served_by(OLD, "refused");
    removing.go_on();
    let removed = removing.wait();
    assert_eq!(removed.code, Some(0), "{}", said(&removed));
    parts.lead(THERE);
    parts.assert_served_by(NEW, "after it");
    parts.reconcile(&[]);
}
