//! Kills of standby, holder and run in mid-copy, a promotion, and a vacuum that ends the snapshot.

use atalaya_sandbox::Server;

use crate::held::Held;
use crate::kills::holder::{assert_only_unfinished_began_anew, holder, kill_holder};
use crate::support::eventually;
use crate::writes::Writes;

use super::field::Spared;

const FEEDBACK: &[(&str, &str)] = &[("hot_standby_feedback", "on")];

#[test]
fn a_standby_killed_while_the_copy_runs_has_only_unfinished_tables_copied_anew() {
    let mut spared = Spared::prepare(16, 18, FEEDBACK);
    let writes = Writes::start(&spared.field.shop.source_url, 2, 100);
    let arguments = spared.field.arguments();
    let halt = [("ATALAYA_FAILPOINT", "copy-committed:4:stop")];
    let mut run = spared.field.shop.spawn_with("start", &arguments, &halt);
    run.wait_for_halt();
    let starts = "SELECT DISTINCT start_lsn FROM atalaya.tables";
    let before = spared.field.shop.target.run_sql("shop", starts).unwrap();
    spared.standby.kill().unwrap();
    eventually("the holder goes with its standby", || holder(&spared.field).is_none());
    spared.field.change();
    spared.standby.start_again().unwrap();
    run.go_on();
    let ran = run.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("the snapshot's holder is gone"), "{}", ran.stderr);
    let after = spared.field.shop.target.run_sql("shop", starts).unwrap();
    assert!(!after.contains(&before), "{before} {after}");
    let written = writes.stop();
    spared.finish();
    written.assert_reconciled(&spared.field.shop.target_url);
}

#[test]
fn runs_and_holders_are_killed_in_turn_and_only_unfinished_tables_begin_anew() {
    let mut spared = Spared::prepare(18, 18, FEEDBACK);
    let writes = Writes::start(&spared.field.shop.source_url, 2, 50);
    // Killed alone, a run goes on in the snapshot that its holder keeps.
    let first = spared.field.kill_at("slot-made:1");
    assert_eq!(first.phase, "created");
    let mut before = spared.field.kill_at("copy-committed:2");
    spared.field.change();
    let now = spared.field.kill_at("copy-committed:2");
    before.assert_kept(&now);
    let starts = |standing: &crate::kills::field::Standing| {
        standing.tables.values().map(|table| table.start_lsn.clone()).collect::<Vec<_>>()
    };
    assert_eq!(starts(&before), starts(&now));
    before = now;
    for place in ["copy-passing:3", "copy-marked:2", "snapshot-made:1", "copy-begun:3"] {
        if holder(&spared.field).is_some() {
            kill_holder(&spared.field);
        }
        spared.field.change();
        let now = spared.field.kill_at(place);
        if place != "snapshot-made:1" {
            assert_only_unfinished_began_anew(&before, &now);
            before = now;
        }
        assert_eq!(Spared::sessions(&spared.standby, "snapshot"), 1, "{place}");
    }
    spared.field.change();
    let written = writes.stop();
    spared.finish();
    written.assert_reconciled(&spared.field.shop.target_url);
    assert_eq!(holder(&spared.field), None, "a holder was left behind");
}

#[test]
fn a_promoted_standby_is_refused_and_what_is_left_comes_from_the_source() {
    let mut spared = Spared::prepare(17, 18, FEEDBACK);
    spared.field.kill_at("copy-committed:4");
    promote(&spared.standby);
    spared.field.change();
    let ran = spared.field.shop.run("start", &spared.field.arguments());
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("standby-not-in-recovery"), "{}", ran.stderr);
    spared.standby.run_sql("shop", "TRUNCATE small_5").unwrap();
    spared.field.told.clear();
    spared.finish();
}

#[test]
fn a_standby_promoted_while_the_copy_runs_ends_in_equal_rows() {
    let mut spared = Spared::prepare(16, 16, FEEDBACK);
    let arguments = spared.field.arguments();
    let halt = [("ATALAYA_FAILPOINT", "copy-committed:4:stop")];
    let mut run = spared.field.shop.spawn_with("start", &arguments, &halt);
    run.wait_for_halt();
    promote(&spared.standby);
    // Now another server, whose writes must never arrive.
    let foreign =
        "INSERT INTO small_5 SELECT 900000 + i, 'foreign' FROM generate_series(1, 10) i; TRUNCATE small_1, small_2";
    spared.standby.run_sql("shop", foreign).unwrap();
    spared.field.change();
    run.go_on();
    let ran = run.wait();
    assert!(ran.code == Some(0) || ran.code == Some(4), "{:?} {}", ran.code, ran.stderr);
    spared.field.told.clear();
    spared.finish();
}

fn promote(standby: &Server) {
    assert_eq!(standby.run_sql("shop", "SELECT pg_promote()").unwrap(), "t");
}

#[test]
fn a_vacuum_that_ends_the_standbys_snapshot_has_unfinished_tables_copied_anew() {
    let mut spared =
        Spared::prepare(18, 18, &[("hot_standby_feedback", "off"), ("max_standby_streaming_delay", "100ms")]);
    let arguments = spared.field.arguments();
    let halt = [("ATALAYA_FAILPOINT", "copy-passing:5:stop")];
    let mut run = spared.field.shop.spawn_with("start", &arguments, &halt);
    run.wait_for_halt();
    let shop = &spared.field.shop;
    shop.source.run_sql("shop", "DELETE FROM small_7 WHERE id < 500; VACUUM small_7").unwrap();
    eventually("the standby has ended the snapshot", || Spared::sessions(&spared.standby, "snapshot") == 0);
    spared.field.change();
    run.go_on();
    let ran = run.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("hot_standby_feedback is off"), "{}", ran.stderr);
    assert!(ran.stderr.contains("the snapshot's holder is gone"), "{}", ran.stderr);
    spared.finish();
}

#[test]
fn aborting_in_mid_copy_ends_the_holder_without_being_told_of_the_standby() {
    let spared = Spared::prepare(16, 18, FEEDBACK);
    spared.field.kill_at("copy-committed:2");
    assert_eq!(Spared::sessions(&spared.standby, "snapshot"), 1);
    spared.field.shop.done("abort", &[]);
    eventually("the standby holds nothing", || Spared::sessions(&spared.standby, "snapshot") == 0);
    eventually("the holder ends", || holder(&spared.field).is_none());
}

#[test]
fn a_standby_that_goes_when_all_rows_are_copied_is_missed_by_nobody() {
    let mut spared = Spared::prepare(16, 18, FEEDBACK);
    let arguments = spared.field.arguments();
    let halt = [("ATALAYA_FAILPOINT", "rows-copied:1:stop")];
    let mut run = spared.field.shop.spawn_with("start", &arguments, &halt);
    run.wait_for_halt();
    // No index with a condition is begun: the run now works on the target alone.
    let target = &spared.field.shop.target;
    let lock = Held::open(&spared.field.shop.target_url, "BEGIN; LOCK TABLE public.small_9 IN ROW EXCLUSIVE MODE");
    run.go_on();
    let building = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'atalaya indexes shop'
                       AND wait_event_type = 'Lock'";
    eventually("an index build that waits", || target.run_sql("shop", building).unwrap() == "1");
    eventually("nobody asks the standby", || Spared::sessions(&spared.standby, "pulse") == 0);
    spared.standby.kill().unwrap();
    drop(lock);
    let ran = run.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    spared.standby.start_again().unwrap();
    spared.finish();
}
