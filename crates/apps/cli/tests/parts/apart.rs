//! Three gateways, one of which is dead, cut off or frozen while the others go on: all lead clients, or none does.

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
}

const THIRD: usize = 2;
const FAULTS: [Fault; 3] = [Fault::Dead, Fault::CutOff, Fault::Frozen];
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
    let [one, two] = [0, 1].map(|number: usize| parts.gates[number].socket());
    parts.until_committed(3);
    let halted = parts.halted(words, place, 8);
    match fault {
        Fault::Dead => parts.gates[THIRD].kill(),
        Fault::CutOff => parts.gates[THIRD].cut_off(),
        Fault::Frozen => parts.gates[THIRD].freeze(),
    }
    halted.go_on();
    let ended = halted.wait();
    let said = format!("{what}: {:?} {}\n{}", ended.code, ended.stdout, ended.stderr);
    let led_to = parts.led_to();
    match ended.code {
        Some(0) => {
            assert_eq!(led_to, after, "{said}");
            let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
            let unsettled = report["gateways"].as_array().unwrap().iter().filter(|gate| !gate["unsettled"].is_null());
            assert!(unsettled.clone().all(|gate| gate["gateway"] != *one && gate["gateway"] != *two), "{said}");
            assert_eq!(unsettled.count(), usize::from(place != "cutover-settled"), "it is said which one: {said}");
        }
        Some(1) => {
            assert_eq!(led_to, before, "{said}");
            assert!(ended.stderr.contains("can be run again"), "{said}");
        }
        _ => panic!("{said}"),
    }
    match fault {
        Fault::Dead => parts.start_gate(THIRD),
        Fault::CutOff => parts.gates[THIRD].mend(),
        Fault::Frozen => parts.gates[THIRD].wake(),
    }
    parts.assert_served_by(led_to, &said);
    led_to
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

#[test]
#[ignore = "minutes: make soak"]
fn a_gateway_that_is_lost_at_any_place_leads_clients_where_the_others_do() {
    let mut parts = Parts::with_gateways(3);
    parts.start_clients();
    for fault in FAULTS {
        for place in PLACES {
            met_at(&mut parts, place, fault);
        }
    }
    parts.reconcile(&[THIRD]);
}
