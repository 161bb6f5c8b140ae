//! A server that is restarted, or gone for a while, while clients are held.

use atalaya_sandbox::StopMode;

use super::ground::{BACK, NEW, OLD, Parts, THERE};
use crate::support::eventually;

/// Stops a server at once, as a crash would, and starts it again.
fn restart(parts: &mut Parts, version: u16) {
    let server = if version == OLD { &mut parts.shop.source } else { &mut parts.shop.target };
    server.stop(StopMode::Immediate).unwrap();
    server.start_again().unwrap();
}

/// Where clients have to be then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Serves {
    Old,
    New,
    /// Where it was decided: a process that was halted for too long takes what it has left for another one's, and closes it.
    Either,
}

#[test]
fn a_server_that_is_restarted_before_the_flip_keeps_clients_where_they_are_and_after_it_none() {
    let mut parts = Parts::with_gateways(1);
    parts.start_clients();
    for (place, restarted, serves) in [
        ("cutover-fenced", OLD, Serves::Old),
        ("cutover-fenced", NEW, Serves::Old),
        ("cutover-flipping", NEW, Serves::Either),
        ("cutover-flipped", OLD, Serves::New),
        ("cutover-flipped", NEW, Serves::New),
    ] {
        let what = format!("{restarted} at {place}");
        parts.until_committed(5);
        let halted = parts.halted(THERE, place, 60);
        restart(&mut parts, restarted);
        halted.go_on();
        let ended = halted.wait();
        let said = format!("{what}: {}\n{}", ended.stdout, ended.stderr);
        let led_to = parts.led_to();
        assert!(serves == Serves::Either || (serves == Serves::New) == (led_to == NEW), "{said}");
        assert_eq!(ended.code, Some(if led_to == NEW { 0 } else { 1 }), "{said}");
        if led_to == OLD {
            assert!(ended.stderr.contains("clients of `shop` are served by `shop`"), "{said}");
        }
        parts.assert_served_by(led_to, &said);
        if led_to == NEW {
            parts.until_ready_for(BACK);
            parts.lead(BACK);
        }
        parts.go_on_following();
        parts.prove();
        parts.until_ready_for(THERE);
    }
    parts.lead(THERE);
    parts.assert_served_by(NEW, "the next command");
    parts.reconcile(&[0]);
}

/// It is not there when clients are to be let in again: gates stay shut until it is, whatever becomes of the command.
#[test]
fn a_server_that_is_gone_before_the_flip_serves_again_once_it_is_back() {
    let mut parts = Parts::with_gateways(1);
    parts.start_clients();
    let halted = parts.halted(THERE, "cutover-fenced", 20);
    parts.shop.source.stop(StopMode::Immediate).unwrap();
    halted.go_on();
    let ended = halted.wait();
    let said = format!("{}\n{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code, Some(1), "{said}");
    assert!(ended.stderr.contains("the fence in `shop` is not lifted"), "{said}");
    assert!(ended.stderr.contains("atalaya migrate cutover shop-to-18"), "{said}");
    assert!(parts.standing().open.is_none(), "{said}");
    parts.shop.source.start_again().unwrap();
    parts.assert_served_by(OLD, &said);
    eventually("what was left is ended", || {
        let ended = parts.ask(&parts.course(THERE, "20s"));
        assert!(matches!(ended.code, Some(0 | 1)), "{}\n{}", ended.stdout, ended.stderr);
        ended.code == Some(0)
    });
    parts.assert_served_by(NEW, "the next command");
    parts.reconcile(&[0]);
}
