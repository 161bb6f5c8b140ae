//! A coordinator whose process, or machine, sleeps in the middle, and wakes when others have decided.

use super::ground::{BACK, NEW, OLD, Parts, THERE};

/// The newest epoch of the route; each is one more than the one before it.
fn last_epoch(parts: &Parts) -> u64 {
    parts.standing().last_epoch
}

#[test]
fn one_that_wakes_after_the_lease_finds_out_and_changes_nothing() {
    let mut parts = Parts::with_gateways(1);
    parts.lead(THERE);
    parts.lead(BACK);
    parts.start_clients();
    for place in ["cutover-armed", "cutover-fenced", "cutover-flipping"] {
        parts.until_committed(5);
        let halted = parts.halted(THERE, place, 2);
        // The gateway has closed the epoch, lifted the fence and opened.
        parts.assert_served_by(OLD, place);
        let (epoch, decision) = (last_epoch(&parts), parts.decision(last_epoch(&parts)));
        halted.go_on();
        let woken = halted.wait();
        let said = format!("{place}: {}\n{}", woken.stdout, woken.stderr);
        assert_eq!(woken.code, Some(1), "{said}");
        assert!(woken.stderr.contains("clients of `shop` are served by `shop`"), "{said}");
        assert!(woken.stderr.contains("atalaya migrate cutover shop-to-18"), "{said}");
        assert_eq!((last_epoch(&parts), parts.decision(epoch)), (epoch, decision), "{said}");
        parts.assert_served_by(OLD, place);
    }
    parts.lead(THERE);
    parts.assert_served_by(NEW, "the next command");
    parts.reconcile(&[]);
}

/// While it slept, its epoch was closed by the same command, and another one has led clients away, who draw from the new
/// server's sequences by now.
#[test]
fn one_that_wakes_after_others_have_led_clients_away_sets_no_sequence_back() {
    let mut parts = Parts::with_gateways(1);
    parts.start_clients();
    let halted = parts.halted(THERE, "cutover-fenced", 300);
    let words = parts.course(THERE, "20s");
    let taken = parts.ask(&words);
    assert_eq!(taken.code, Some(1), "{}\n{}", taken.stdout, taken.stderr);
    assert!(taken.stderr.contains("it was interrupted"), "{}", taken.stderr);
    parts.lead(THERE);
    parts.until_committed(20);
    parts.assert_served_by(NEW, "another one");
    let drawn = || parts.shop.target.run_sql("shop", "SELECT nextval('ledger.draws_id_seq')").unwrap();
    let before: u64 = drawn().trim().parse().unwrap();
    halted.go_on();
    let woken = halted.wait();
    assert_eq!(woken.code, Some(1), "{}\n{}", woken.stdout, woken.stderr);
    let after: u64 = drawn().trim().parse().unwrap();
    assert!(after > before, "a number is given out twice: {after} after {before}");
    parts.assert_served_by(NEW, "it woke");
    parts.reconcile(&[]);
}

/// It had led clients there, and slept; others have brought that to its end, and led clients back.
#[test]
fn one_that_wakes_after_others_have_led_clients_back_does_not_write_down_that_they_are_away() {
    let mut parts = Parts::with_gateways(1);
    parts.start_clients();
    let halted = parts.halted(THERE, "cutover-taking-over", 20);
    parts.lead(THERE);
    parts.lead(BACK);
    parts.assert_served_by(OLD, "led back");
    halted.go_on();
    let woken = halted.wait();
    assert_eq!(woken.code, Some(1), "{}\n{}", woken.stdout, woken.stderr);
    let status = parts.ask(&["migrate", "way-back", "status", "shop-to-18", "--output", "json"]);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(status["serving"], "source", "{status}");
    parts.assert_served_by(OLD, "it woke");
    parts.reconcile(&[]);
}
