//! Two commands at once, of the same migration.

use std::time::Instant;

use serde_json::Value;

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

/// Where a server's version has its clients, by its name in the estate file.
fn place(version: u16) -> &'static str {
    if version == NEW { "shop-green" } else { "shop" }
}

/// What one has done, as it says: by this epoch clients were led to a server.
fn assert_led(ran: &Ran, epoch: u64, version: u16) -> Value {
    assert_eq!(ran.code, Some(0), "{}", said(ran));
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let led = (&report["outcome"], &report["epoch"], &report["to"]);
    assert_eq!(led, (&"flipped".into(), &epoch.into(), &place(version).into()), "{}", said(ran));
    report
}

/// It has led them, though somebody may have led them back before it could say so.
fn assert_led_for_a_while(ran: &Ran, epoch: u64, version: u16) {
    let other = if version == NEW { OLD } else { NEW };
    match ran.code {
        Some(1) => {
            let since =
                format!("epoch {epoch} was decided as it was meant, and clients were led to `{}` since", place(other));
            assert!(ran.stderr.contains(&since), "{}", said(ran));
        }
        _ => drop(assert_led(ran, epoch, version)),
    }
}

/// It has found clients where it was to lead them.
fn assert_was_there(ran: &Ran, version: u16) {
    assert_eq!(ran.code, Some(4), "{}", said(ran));
    assert!(ran.stderr.contains(&format!("clients are led to `{}` already", place(version))), "{}", said(ran));
}

/// One does it, and the other one waits for its end and says the same; one that comes when it is over finds clients there.
fn assert_one_for_both(ended: &[Ran], epoch: u64, version: u16) {
    let (done, late): (Vec<&Ran>, Vec<&Ran>) = ended.iter().partition(|ran| ran.code == Some(0));
    late.iter().for_each(|ran| assert_was_there(ran, version));
    let mut reports: Vec<Value> = done.iter().map(|ran| assert_led(ran, epoch, version)).collect();
    let by_itself = reports.iter().filter(|report| report["resumed"] == false).count();
    assert_eq!(by_itself, 1, "one of them has led clients: {reports:?}");
    reports.iter_mut().for_each(|report| report["resumed"] = Value::Null);
    assert!(reports.windows(2).all(|two| two[0] == two[1]), "{reports:?}");
}

#[test]
fn of_two_cutovers_one_leads_clients_and_the_other_waits_for_it() {
    let mut parts = Parts::with_gateways(1);
    parts.start_clients();
    for (words, epoch, serves) in [(THERE, 1, NEW), (BACK, 2, OLD), (THERE, 3, NEW)] {
        assert_one_for_both(&both(&parts, words, words), epoch, serves);
        assert_eq!(parts.standing().last_epoch, epoch, "one epoch for both");
        parts.assert_served_by(serves, "both");
        parts.until_committed(5);
    }
    // One there, one back: whichever comes first, clients end where the last of them led, and nowhere between.
    let [back, there] = both(&parts, BACK, THERE);
    assert_led_for_a_while(&back, 4, OLD);
    let (serves, last_epoch) = match there.code {
        Some(0) => {
            assert_led(&there, 5, NEW);
            (NEW, 5)
        }
        // What it had begun was ended by the other one, before its first step.
        Some(1) => {
            assert!(there.stderr.contains("something else was asked for"), "{}", said(&there));
            (OLD, 4)
        }
        _ => {
            assert_was_there(&there, NEW);
            (OLD, 4)
        }
    };
    assert_eq!(parts.standing().last_epoch, last_epoch, "{} {}", said(&back), said(&there));
    parts.assert_served_by(serves, "there and back");
    parts.until_committed(5);

    // Behind the other's opening there is but one order.
    let (one, to, other) = if serves == NEW { (BACK, OLD, THERE) } else { (THERE, NEW, BACK) };
    let leading = parts.spawn(&parts.course(one, "20s"), "");
    eventually("it has opened its epoch", || parts.standing().last_epoch > last_epoch);
    let behind = parts.ask(&parts.course(other, "20s"));
    assert_led(&behind, last_epoch + 2, serves);
    assert_led_for_a_while(&leading.wait(), last_epoch + 1, to);
    parts.assert_served_by(serves, "one behind the other");
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
