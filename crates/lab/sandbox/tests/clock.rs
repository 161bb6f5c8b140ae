//! A clock that is moved while servers and processes go by it.

use std::process::Command;

use atalaya_sandbox::{Clock, Server, ServerOptions};

fn seconds(text: &str) -> i64 {
    text.trim().parse().unwrap()
}

#[test]
fn a_clock_is_moved_for_a_running_server_and_for_processes() {
    let clock = Clock::right().unwrap();
    let server = Server::start(ServerOptions::new(18).clock(&clock)).unwrap();
    let asked = "SELECT extract(epoch FROM clock_timestamp())::int8";
    let shown = || {
        let date = Command::new("date").arg("+%s").envs(clock.environment()).output().unwrap();
        (seconds(&server.run_sql("postgres", asked).unwrap()), seconds(&String::from_utf8(date.stdout).unwrap()))
    };
    let right = shown();
    clock.set(3600).unwrap();
    let ahead = shown();
    clock.set(-3600).unwrap();
    let behind = shown();
    // An hour is more than a test takes, however slow.
    assert!(ahead.0 - right.0 >= 3600 && right.0 > behind.0, "{right:?} {ahead:?} {behind:?}");
    assert!(ahead.1 - right.1 >= 3600 && right.1 > behind.1, "{right:?} {ahead:?} {behind:?}");
}
