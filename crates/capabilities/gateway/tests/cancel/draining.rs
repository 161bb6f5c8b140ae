//! Cancel requests while a gate is closed and waits for those who run.

use std::sync::atomic::{AtomicBool, Ordering};

use atalaya_sandbox::eventually;

use super::{cancel, cancel_of, is_running};
use crate::support::{gateway, query, tags};

#[test]
fn a_statement_that_a_pause_waits_for_can_be_cancelled_which_ends_the_wait() {
    let gateway = gateway();
    let (mut running, mut held) = (gateway.client(), gateway.client());
    running.send(&query("SELECT pg_sleep(600)"));
    is_running(&gateway, 1);
    std::thread::scope(|scope| {
        let pause = scope.spawn(|| gateway.pause());
        eventually("the gate is closed", || gateway.status().gate.paused_epoch.is_some());
        held.send(&query("SELECT 'not cancelled'"));
        eventually("it waits", || gateway.status().gate.waiting == 1);
        assert!(!pause.is_finished());
        eventually("it ends", || {
            cancel_of(&gateway, &running);
            gateway.status().gate.running == 0
        });
        assert_eq!(tags(&running.until_ready()), "T E57014 ZI");
        let epoch = pause.join().unwrap();
        assert_eq!(gateway.status().gate.waiting, 1, "the other one was not meant");
        gateway.resume(epoch);
    });
    assert_eq!(tags(&held.until_ready()), "T D C ZI");
    assert_eq!(running.run("SELECT 1"), "1");
}

#[test]
fn a_transaction_whose_statement_is_cancelled_is_waited_for_until_it_is_rolled_back() {
    let gateway = gateway();
    let mut running = gateway.client();
    running.run("CREATE TABLE t (x int)");
    running.run("BEGIN; INSERT INTO t VALUES (1)");
    running.send(&query("SELECT pg_sleep(600)"));
    let (process_id, secret) = (running.process_id, running.secret.clone());
    let is_answered = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let pause = scope.spawn(|| gateway.pause());
        eventually("the gate is closed", || gateway.status().gate.paused_epoch.is_some());
        // One may come before the statement does.
        let requests = scope.spawn(|| {
            while !is_answered.load(Ordering::SeqCst) {
                cancel(&gateway, process_id, &secret);
            }
        });
        assert_eq!(tags(&running.until_ready()), "T E57014 ZE");
        is_answered.store(true, Ordering::SeqCst);
        requests.join().unwrap();
        assert_eq!(running.error("SELECT 1"), "25P02");
        assert!(!pause.is_finished());
        running.run("ROLLBACK");
        let epoch = pause.join().unwrap();
        gateway.resume(epoch);
    });
    assert_eq!(running.run("SELECT count(*) FROM t"), "0");
}
