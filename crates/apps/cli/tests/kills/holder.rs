//! Kills of the snapshot's holder: finished tables stay, unfinished ones are copied from a new snapshot, each
//! with its own start.

use nix::sys::signal::Signal;

use super::field::{Field, Standing};
use crate::support::{Move, eventually, signal};
use crate::writes::Writes;

/// The process that holds this migration's snapshot, known by the source's URL in its environment.
pub(crate) fn holder(field: &Field) -> Option<i32> {
    let wanted = format!("SOURCE_URL={}", field.shop.source_url);
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let command = std::fs::read(entry.path().join("cmdline")).ok()?;
        let environment = std::fs::read(entry.path().join("environ")).ok()?;
        let is_holder = command.split(|byte| *byte == 0).any(|word| word == b"hold-snapshot");
        let is_ours = environment.split(|byte| *byte == 0).any(|word| word == wanted.as_bytes());
        (is_holder && is_ours).then_some(pid)
    })
}

/// Backends on the source that keep a snapshot for the copy.
pub(crate) fn backends(field: &Field) -> String {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'atalaya snapshot shop'";
    field.shop.source.run_sql("shop", sql).unwrap()
}

pub(crate) fn kill_holder(field: &Field) {
    let pid = holder(field).expect("a holder that outlives the killed run");
    signal(pid, Signal::SIGKILL);
    eventually("the holder's backend is gone", || backends(field) == "0");
}

/// Asserts that from one standing to the next exactly the unfinished tables began anew.
pub(crate) fn assert_only_unfinished_began_anew(before: &Standing, after: &Standing) {
    before.assert_kept(after);
    for (name, table) in before.tables.iter().filter(|(_, table)| !table.is_done) {
        assert_ne!(table.start_lsn, after.tables[name].start_lsn, "{name} was not finished and has its old start");
    }
}

#[test]
fn six_times_run_and_holder_are_killed_and_only_unfinished_tables_are_copied_again() {
    let mut field = Field::prepare(Move::between(14, 18));
    let writes = Writes::start(&field.shop.source_url, 2, 50);
    // The largest table goes first, in ranges, some of which are done and some not when the first kills come.
    let places = ["copy-passing:3", "copy-committed:4", "copy-committed:18", "copy-begun:3", "copy-marked:3"];
    let mut before = field.kill_at("copy-committed:2");
    for place in places {
        assert_eq!(before.phase, "copy", "{place}");
        assert!(before.tables_done() < before.tables.len(), "{place}: nothing was left to copy");
        kill_holder(&field);
        field.change();
        let now = field.kill_at(place);
        assert_only_unfinished_began_anew(&before, &now);
        before = now;
    }
    assert!(before.tables_done() > 0, "{before:?}");
    assert!(before.tables_done() < before.tables.len(), "nothing was left to copy");
    kill_holder(&field);
    field.change();
    let end = field.kill_at("indexes-built:1");
    assert_eq!(end.tables_done(), end.tables.len());
    assert_only_unfinished_began_anew(&before, &end);
    let written = writes.stop();
    field.finish();
    written.assert_reconciled(&field.shop.target_url);
    assert_eq!(holder(&field), None, "a holder was left behind");
}

#[test]
fn a_holder_killed_while_the_copy_runs_does_not_end_the_run() {
    let mut field = Field::prepare(Move::between(13, 16));
    let arguments = ["--stop-when", "caught-up", "--split-larger-than", "1"];
    let mut run = field.shop.spawn_with("start", &arguments, &[("ATALAYA_FAILPOINT", "copy-passing:3:stop")]);
    run.wait_for_halt();
    let phase = "SELECT phase FROM atalaya.migration";
    assert_eq!(field.shop.target.run_sql("shop", phase).unwrap(), "copy");
    kill_holder(&field);
    field.change();
    run.go_on();
    let ran = run.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    field.finish();
}

#[test]
fn a_holder_killed_before_the_workers_took_its_snapshot_is_replaced_by_the_same_run() {
    let mut field = Field::prepare(Move::between(17, 18));
    let arguments = ["--stop-when", "caught-up", "--split-larger-than", "1"];
    let mut run = field.shop.spawn_with("start", &arguments, &[("ATALAYA_FAILPOINT", "schema-restored:1:stop")]);
    run.wait_for_halt();
    let before = "SELECT min(start_lsn) FROM atalaya.tables WHERE state = 'pending'";
    let before = field.shop.target.run_sql("shop", before).unwrap();
    kill_holder(&field);
    field.change();
    run.go_on();
    let ran = run.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("the snapshot's holder is gone"), "{}", ran.stderr);
    let after = field.shop.target.run_sql("shop", "SELECT DISTINCT start_lsn FROM atalaya.tables").unwrap();
    assert!(!after.contains('\n') && after != before, "{before} {after}");
    field.finish();
}

#[test]
fn a_run_killed_before_it_stored_its_holder_leaves_none_behind() {
    killed_before_it_stored_its_holder(18);
}

#[test]
fn a_run_from_13_killed_before_it_stored_its_holder_leaves_none_behind() {
    killed_before_it_stored_its_holder(13);
}

fn killed_before_it_stored_its_holder(major: u16) {
    let field = Field::prepare(Move::between(major, 18));
    let now = field.kill_at("slot-made:1");
    assert_eq!((now.phase.as_str(), now.applied), ("created", 0));
    assert_eq!(backends(&field), "1");
    let orphan = holder(&field).expect("a holder");
    // The slot of the killed run is made anew, and a new holder with it.
    let now = field.kill_at("copy-begun:1");
    assert_eq!(now.phase, "copy");
    assert_eq!(backends(&field), "1", "the orphan still holds back vacuum on the source");
    assert_ne!(holder(&field), Some(orphan));
    // Killed between the new holder and its row: again an orphan.
    kill_holder(&field);
    let now = field.kill_at("snapshot-made:1");
    assert_eq!((now.phase.as_str(), backends(&field).as_str()), ("copy", "1"));
    let orphan = holder(&field).expect("a holder");
    field.kill_at("copy-begun:1");
    assert_eq!(backends(&field), "1");
    assert_ne!(holder(&field), Some(orphan));
    field.finish();
    assert_eq!(holder(&field), None, "a holder was left behind");
}
