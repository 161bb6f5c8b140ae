//! Three gateways, one of which is dead, cut off, frozen or slow while the others go on: all lead clients, or none does.

use std::time::Duration;

use super::ground::{BACK, NEW, OLD, Parts, THERE};

/// What becomes of the third gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Killed, and started again when the command has ended.
    Dead,
    /// Its machine has no network: neither journal nor servers can be reached.
    CutOff,
    /// Its process does nothing.
    Frozen,
    /// It does everything, late, and within all limits.
    Slow,
    /// Whatever it asks the journal or a server is answered, later than clients may be held.
    Late,
}

impl Fault {
    fn strike(self, parts: &mut Parts) {
        let gate = &mut parts.gates[THIRD];
        match self {
            Self::Dead => gate.kill(),
            Self::CutOff => gate.cut_off(),
            Self::Frozen => gate.freeze(),
            Self::Slow => gate.slow_down(),
            Self::Late => gate.answer_after(LATE),
        }
    }

    fn end(self, parts: &mut Parts) {
        match self {
            Self::Dead => parts.start_gate(THIRD),
            Self::CutOff => parts.gates[THIRD].mend(),
            Self::Frozen => parts.gates[THIRD].wake(),
            Self::Slow => parts.gates[THIRD].hurry(),
            Self::Late => parts.gates[THIRD].answer_after(Duration::ZERO),
        }
    }

    /// How long clients may be held.
    fn pause_seconds(self) -> u32 {
        match self {
            Self::Dead | Self::CutOff | Self::Frozen => 8,
            Self::Slow => 60,
            // No answer takes less than all of it.
            Self::Late => 2,
        }
    }
}

const THIRD: usize = 2;
const FAULTS: [Fault; 5] = [Fault::Dead, Fault::CutOff, Fault::Frozen, Fault::Slow, Fault::Late];
/// Less than what a gateway waits for the journal, so that it gets its answer, and not less than clients may be held: it comes
/// to close its gate once that is given up. A latency, since a process that is stopped for so long would be frozen.
const LATE: Duration = Duration::from_secs(2);
/// What a gateway takes beyond its lease at most where nothing fails: it asks the journal, and lets clients in, each for five
/// seconds.
const BEYOND_THE_LEASE: Duration = Duration::from_secs(10);
const PLACES: [&str; 9] = [
    "cutover-opening",
    "cutover-opened",
    "cutover-armed",
    "cutover-fenced",
    "cutover-proven",
    "cutover-flipping",
    "cutover-flipped",
    "cutover-admitted",
    "cutover-settled",
];

/// A course during which the third gateway meets a fault; where clients end.
fn met_at(parts: &mut Parts, place: &str, fault: Fault) -> u16 {
    let what = format!("{fault:?} at {place}");
    let (before, after, words) = match parts.led_to() {
        OLD => (OLD, NEW, THERE),
        _ => (NEW, OLD, BACK),
    };
    let [one, two, third] = [0, 1, THIRD].map(|number: usize| parts.gates[number].socket());
    parts.until_committed(3);
    let halted = parts.halted(words, place, fault.pause_seconds());
    fault.strike(parts);
    halted.go_on();
    let ended = halted.wait();
    let said = format!("{what}: {:?} {}\n{}", ended.code, ended.stdout, ended.stderr);
    let led_to = parts.led_to();
    let closes_too_late = fault == Fault::Late && matches!(place, "cutover-opening" | "cutover-opened");
    match ended.code {
        Some(0) => {
            assert!(led_to == after && !closes_too_late, "{said}");
            let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
            let unsettled = report["gateways"].as_array().unwrap().iter().filter(|gate| !gate["unsettled"].is_null());
            assert!(unsettled.clone().all(|gate| gate["gateway"] != *one && gate["gateway"] != *two), "{said}");
            let unsettled = unsettled.count();
            match (fault, place) {
                // Gateways are asked beside that.
                (Fault::Slow | Fault::Late, _) | (_, "cutover-admitted") => assert!(unsettled <= 1, "{said}"),
                _ => assert_eq!(unsettled, usize::from(place != "cutover-settled"), "it is said which one: {said}"),
            }
            assert_eq!(report["gateways"].as_array().unwrap().len(), 3, "{said}");
        }
        Some(1) => {
            assert_eq!(led_to, before, "{said}");
            assert!(ended.stderr.contains("can be run again"), "{said}");
            // On a slow machine another one may have something to say as well, and before it.
            if closes_too_late && !ended.stderr.contains("transactions still ran") {
                assert!(ended.stderr.contains(&third), "it is said which one: {said}");
            }
        }
        _ => panic!("{said}"),
    }
    assert_others_go_on(parts, &said);
    fault.end(parts);
    parts.assert_served_by(led_to, &said);
    led_to
}

/// Nobody behind the other two waits for the third one, not even for as long as something is wrong with it.
fn assert_others_go_on(parts: &Parts, said: &str) {
    parts.until_committed_behind(|number| number != THIRD, 3);
    // Nothing is written down where it was given up before anybody was held.
    let Some(report) = parts.last_report() else { return };
    let epoch = parts.routes(async |routes| routes.epoch("shop", report.epoch).await.unwrap().unwrap().0);
    let waited_max = epoch.opening.lease + BEYOND_THE_LEASE;
    let third = parts.gates[THIRD].socket();
    for gate in report.gateways.iter().filter(|gate| gate.gateway != third) {
        assert_eq!((&gate.unsettled, gate.failed), (&None, 0), "{said}");
        assert!(u128::from(gate.longest_wait_us) <= waited_max.as_micros(), "{gate:?}: {said}");
    }
}

#[test]
fn a_gateway_that_is_lost_before_all_are_shut_keeps_clients_where_they_are_and_later_is_led_with_the_others() {
    let mut parts = Parts::with_gateways(3);
    parts.start_clients();
    assert_eq!(met_at(&mut parts, "cutover-opened", Fault::Dead), OLD);
    assert_eq!(met_at(&mut parts, "cutover-opened", Fault::CutOff), OLD);
    met_at(&mut parts, "cutover-armed", Fault::Dead);
    met_at(&mut parts, "cutover-armed", Fault::CutOff);
    met_at(&mut parts, "cutover-flipped", Fault::Frozen);
    parts.reconcile(&[THIRD]);
}

/// All along, from the first check to the last word.
#[test]
fn a_gateway_that_is_slow_is_led_there_and_back_with_the_others_and_no_transaction_fails() {
    let mut parts = Parts::with_gateways(3);
    parts.start_clients();
    Fault::Slow.strike(&mut parts);
    let third = parts.gates[THIRD].socket();
    for (words, serves) in [(THERE, NEW), (BACK, OLD)] {
        parts.until_committed(3);
        let done = parts.ask(&parts.course(words, "60s"));
        let said = format!("{:?} {}\n{}", done.code, done.stdout, done.stderr);
        assert_eq!(done.code, Some(0), "{said}");
        let report = parts.last_report().unwrap();
        assert_eq!(report.gateways.len(), 3, "{said}");
        assert!(report.gateways.iter().any(|gate| gate.gateway == third), "{said}");
        assert_others_go_on(&parts, &said);
        parts.assert_served_by(serves, &said);
    }
    Fault::Slow.end(&mut parts);
    parts.reconcile(&[]);
}

#[test]
fn a_gateway_that_is_later_than_clients_may_be_held_keeps_them_where_they_are_and_later_is_led_with_the_others() {
    let mut parts = Parts::with_gateways(3);
    parts.start_clients();
    parts.until_committed(3);
    // Before anybody is held: it is seen, and nothing is begun.
    Fault::Late.strike(&mut parts);
    let refused = parts.ask(&parts.course(THERE, "2s"));
    assert_eq!(refused.code, Some(4), "{}\n{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("gateways"), "{}", refused.stderr);
    assert_eq!(parts.standing().last_epoch, 0);
    Fault::Late.end(&mut parts);
    parts.until_ready_for(THERE);
    // Once the epoch is open.
    assert_eq!(met_at(&mut parts, "cutover-opened", Fault::Late), OLD);
    // Once its gate is closed.
    met_at(&mut parts, "cutover-armed", Fault::Late);
    met_at(&mut parts, "cutover-flipped", Fault::Late);
    let next = if parts.led_to() == OLD { THERE } else { BACK };
    parts.until_ready_for(next);
    parts.lead(next);
    parts.reconcile(&[]);
}

#[test]
#[ignore = "minutes: make soak"]
fn a_gateway_that_is_lost_or_slow_at_any_place_leads_clients_where_the_others_do() {
    let mut parts = Parts::with_gateways(3);
    parts.start_clients();
    for fault in FAULTS {
        for place in PLACES {
            met_at(&mut parts, place, fault);
        }
    }
    parts.reconcile(&[THIRD]);
}
