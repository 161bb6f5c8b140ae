//! kill -9 of a whole server under a run that goes on: it connects again by itself, and the end is equal.

use atalaya_sandbox::{Server, ServerOptions};

use super::field::Field;
use crate::support::{Move, Running, eventually};
use crate::writes::Writes;

const KILLS: usize = 3;

fn durable(from: u16, to: u16) -> Field {
    Field::prepare(Move::with(ServerOptions::new(from).durable(), ServerOptions::new(to).durable()))
}

/// Kills one of the servers at each of the run's first halts, then lets the run come to its end.
fn kill_at_halts(field: &mut Field, run: &mut Running, phase: &str, server: fn(&mut Move) -> &mut Server) {
    for _ in 0..KILLS {
        wait_until_connected(field, run, server);
        let now = field.shop.target.run_sql("shop", "SELECT phase FROM atalaya.migration").unwrap();
        assert_eq!(now, phase);
        let server = server(&mut field.shop);
        server.kill().unwrap();
        server.start_again().unwrap();
        // More to do than was known before the kill.
        field.change();
        run.go_on();
    }
    // Further halts are not of interest.
    eventually("the run's end", || {
        if run.is_halted() {
            run.go_on();
        }
        !run.is_running()
    });
}

/// Waits for a halt at which the run is connected to the server: what it had read before the last kill can bring it
/// to its failpoint once more.
fn wait_until_connected(field: &mut Field, run: &mut Running, server: fn(&mut Move) -> &mut Server) {
    let ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^atalaya (copy|apply|stream) shop'";
    loop {
        run.wait_for_halt();
        if server(&mut field.shop).run_sql("shop", ours).unwrap() != "0" {
            return;
        }
        run.go_on();
    }
}

fn start(field: &Field, failpoint: &str) -> Running {
    let arguments = ["--stop-when", "caught-up", "--split-larger-than", "1"];
    field.shop.spawn_with("start", &arguments, &[("ATALAYA_FAILPOINT", failpoint)])
}

fn assert_went_through(run: Running) {
    let ran = run.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.matches("reconnect").count() >= KILLS, "{}", ran.stderr);
}

#[test]
fn a_source_killed_three_times_in_the_copy() {
    let mut field = durable(13, 18);
    let writes = Writes::start(&field.shop.source_url, 2, 50);
    let mut run = start(&field, "copy-passing:8:stop-each");
    kill_at_halts(&mut field, &mut run, "copy", |shop| &mut shop.source);
    assert_went_through(run);
    let written = writes.stop();
    field.finish();
    written.assert_reconciled(&field.shop.target_url);
}

#[test]
fn a_target_killed_three_times_in_the_copy() {
    let mut field = durable(17, 18);
    let mut run = start(&field, "copy-passing:8:stop-each");
    kill_at_halts(&mut field, &mut run, "copy", |shop| &mut shop.target);
    assert_went_through(run);
    field.finish();
}

#[test]
fn a_source_killed_three_times_while_changes_are_applied() {
    let mut field = durable(15, 18);
    let writes = Writes::start(&field.shop.source_url, 2, 100);
    field.go_on();
    field.change();
    let mut run = start(&field, "apply-part-written:4:stop-each");
    kill_at_halts(&mut field, &mut run, "stream", |shop| &mut shop.source);
    assert_went_through(run);
    let written = writes.stop();
    field.finish();
    written.assert_reconciled(&field.shop.target_url);
}

#[test]
fn a_target_killed_three_times_right_after_commits_that_its_disk_does_not_have() {
    let mut field = durable(18, 18);
    let writes = Writes::start(&field.shop.source_url, 2, 100);
    field.go_on();
    field.change();
    let mut run = start(&field, "apply-committed:1:stop-each");
    kill_at_halts(&mut field, &mut run, "stream", |shop| &mut shop.target);
    assert_went_through(run);
    let written = writes.stop();
    field.finish();
    written.assert_reconciled(&field.shop.target_url);
}
