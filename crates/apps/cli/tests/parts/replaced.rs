//! A gateway that is replaced by another one while its gate is shut for an epoch.

use nix::sys::signal::Signal;

use super::ground::{NEW, OLD, Parts, THERE};
use crate::support::signal;

#[test]
fn a_gateway_that_takes_an_armed_ones_place_is_shut_until_the_epoch_is_decided() {
    let mut parts = Parts::with_gateways(2);
    parts.start_clients();
    // Nobody decides: the one that came closes the epoch at the end of its lease.
    let halted = parts.halted(THERE, "cutover-fenced", 4);
    parts.replace_gate(0);
    signal(halted.pid(), Signal::SIGKILL);
    drop(halted);
    parts.assert_served_by(OLD, "nobody decides");
    let ended = parts.ask(&parts.course(THERE, "20s"));
    assert_eq!(ended.code, Some(1), "{}\n{}", ended.stdout, ended.stderr);

    // Clients are led away: both lead them there. A gateway that is replaced for longer than the coordinator keeps what it was
    // doing makes it close the epoch: then both let them go on, and the next command leads them.
    let halted = parts.halted(THERE, "cutover-armed", 60);
    parts.replace_gate(0);
    halted.go_on();
    let led = halted.wait();
    let said = format!("{}\n{}", led.stdout, led.stderr);
    match led.code {
        Some(0) => parts.assert_served_by(NEW, &said),
        Some(1) => {
            assert!(led.stderr.contains("it was interrupted while clients were held"), "{said}");
            parts.assert_served_by(OLD, &said);
            parts.lead(THERE);
            parts.assert_served_by(NEW, "the next command");
        }
        _ => panic!("{said}"),
    }
    parts.reconcile(&[0]);
}
