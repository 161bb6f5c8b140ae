//! Two commands at once, of the same migration.

use std::time::Instant;

use super::ground::{BACK, NEW, OLD, Parts, THERE};
use super::halted::until_it_is_kept_no_longer;
use crate::support::{Ran, Running, eventually};

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

/// Nobody ends the move, or changes its way back, while another one leads clients.
fn assert_refused(parts: &Parts, words: &[&str]) {
    let refused = parts.ask(words);
    assert_eq!(refused.code, Some(4), "{words:?}: {}", said(&refused));
    assert!(refused.stderr.contains("another command is at work on the move"), "{words:?}: {}", refused.stderr);
}

/// Between the checks and the epoch nothing stands in the journal yet. The coordinator waits for the slot of the way back, and
/// so goes on keeping what it does, however long others take to be refused.
#[test]
fn nothing_ends_a_move_or_its_way_back_between_the_checks_and_the_epoch_and_clients_are_led() {
    let mut parts = Parts::with_gateways(1);
    parts.start_clients();
    let open = parts.open_transaction();
    let words = parts.course(THERE, "20s");
    let mut leading = parts.spawn(&[&words, &["--slot-timeout", "900"][..]].concat(), "");
    eventually("the slot of the way back waits", || {
        leading.assert_alive();
        parts.shop.target.run_sql("shop", "SELECT count(*) FROM pg_replication_slots").unwrap().trim() == "1"
    });
    for words in [REMOVE, MAKE, FINISH] {
        assert_refused(&parts, words);
    }
    assert_eq!(parts.standing().last_epoch, 0, "nobody is held");
    parts.runtime.block_on(open.batch("COMMIT")).unwrap();
    let led = leading.wait();
    assert_eq!(led.code, Some(0), "{}", said(&led));
    parts.assert_served_by(NEW, "led");
    parts.reconcile(&[]);
}

/// What it holds is its own until others have made sure that it does not go on; when it goes on all the same, it ends what it
/// has begun.
#[test]
fn one_that_is_halted_for_too_long_keeps_others_out_and_leads_nobody_when_it_goes_on() {
    let mut parts = Parts::with_gateways(1);
    parts.start_clients();
    let halted = parts.halted(THERE, "cutover-opened", 20);
    until_it_is_kept_no_longer(Instant::now(), || assert_refused(&parts, REMOVE));
    halted.go_on();
    let woken = halted.wait();
    assert_eq!(woken.code, Some(1), "{}", said(&woken));
    assert!(woken.stderr.contains("it was interrupted while clients were held"), "{}", said(&woken));
    parts.assert_served_by(OLD, "it woke");
    parts.lead(THERE);
    parts.assert_served_by(NEW, "the next command");
    parts.reconcile(&[]);
}

#[test]
fn nobody_is_led_while_the_way_back_is_being_removed() {
    let mut parts = Parts::with_gateways(1);
    parts.start_clients();
    let made = parts.ask(MAKE);
    assert_eq!(made.code, Some(0), "{}", said(&made));
    let mut removing = parts.spawn(REMOVE, "way-back-left:1:stop");
    removing.wait_for_halt();
    assert_refused(&parts, &parts.course(THERE, "20s"));
    parts.assert_served_by(OLD, "refused");
    removing.go_on();
    let removed = removing.wait();
    assert_eq!(removed.code, Some(0), "{}", said(&removed));
    parts.lead(THERE);
    parts.assert_served_by(NEW, "after it");
    parts.reconcile(&[]);
}
