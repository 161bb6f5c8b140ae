//! A gateway that is replaced by another one while its gate is shut for an epoch.

use nix::sys::signal::Signal;

use super::ground::{NEW, OLD, Parts, THERE};
use crate::support::signal;

#[test]
fn a_gateway_that_takes_an_armed_ones_place_is_shut_until_the_epoch_is_decided() {
    let mut parts = Parts::with_gateways(2);
    parts.start_clients();
    // Nobody decides: the one that came closes the epoch at the end of its lease.
    let halted = parts.halted(THERE, "cutover-fenced", "4s");
    parts.replace_gate(0);
    signal(halted.pid(), Signal::SIGKILL);
    drop(halted);
    parts.assert_served_by(OLD, "nobody decides");
    let ended = parts.ask(&parts.course(THERE, "20s"));
    assert_eq!(ended.code, Some(1), "{}\n{}", ended.stdout, ended.stderr);

    // Clients are led away: both lead them there.
    let halted = parts.halted(THERE, "cutover-armed", "60s");
    parts.replace_gate(0);
    halted.go_on();
    let led = halted.wait();
    assert_eq!(led.code, Some(0), "{}\n{}", led.stdout, led.stderr);
    parts.assert_served_by(NEW, "led away");
    parts.reconcile(&[0]);
}
