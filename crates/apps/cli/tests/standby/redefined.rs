//! Tables that change between the source's slot and the standby's snapshot, and after it.

use crate::support::{Running, eventually};

use super::field::Spared;

const FEEDBACK: &[(&str, &str)] = &[("hot_standby_feedback", "on")];

/// Lets the source's slot come about while the standby is held where it is; `changes` then lie between the slot's
/// position and the snapshot's.
fn changed_between(spared: &Spared, changes: &str) -> crate::support::Ran {
    let run = halted_between(spared, &[]);
    let (shop, standby) = (&spared.field.shop, &spared.standby);
    shop.source.run_sql("shop", changes).unwrap();
    let after = spared.field.source_position();
    standby.run_sql("shop", "SELECT pg_wal_replay_resume()").unwrap();
    let ran = run.wait();
    let starts = "SELECT min(start_lsn - '0/0'::pg_lsn) FROM atalaya.tables";
    let start: u64 = shop.target.run_sql("shop", starts).unwrap().parse().unwrap();
    assert!(start >= after, "the snapshot is from before the changes: {start} {after}");
    ran
}

/// A run whose slot stands on the source, while the standby is held where it is.
fn halted_between(spared: &Spared, more: &[&str]) -> Running {
    let (shop, standby) = (&spared.field.shop, &spared.standby);
    // Whatever has an xid keeps the slot from its position.
    shop.source
        .run_sql("shop", "BEGIN; INSERT INTO bulk (batch, v) VALUES (0, 'p'); PREPARE TRANSACTION 'open'")
        .unwrap();
    let mut run = shop.spawn("start", &[&spared.field.arguments(), more].concat());
    let slots = |condition: &str| {
        let sql =
            format!("SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'atalaya_shop%' AND {condition}");
        shop.source.run_sql("shop", &sql).unwrap() == "1"
    };
    eventually("the slot waits", || slots("active"));
    standby.run_sql("shop", "SELECT pg_wal_replay_pause()").unwrap();
    eventually("replay is paused", || {
        standby.run_sql("shop", "SELECT pg_get_wal_replay_pause_state()").unwrap() == "paused"
    });
    shop.source.run_sql("shop", "COMMIT PREPARED 'open'").unwrap();
    // It is there until the run gives up, where it is told to.
    eventually("the slot has its position", || {
        slots("confirmed_flush_lsn IS NOT NULL AND NOT active") || !run.is_running()
    });
    run
}

fn prepare() -> Spared {
    let mut field = crate::kills::field::Field::prepare(crate::support::Move::with(
        super::field::primary(16).setting("max_prepared_transactions", "2"),
        atalaya_sandbox::ServerOptions::new(18),
    ));
    let standby = super::field::standby_of(&mut field.shop, FEEDBACK);
    field.told = super::field::FROM_STANDBY.to_vec();
    Spared { field, standby }
}

#[test]
fn a_snapshot_that_never_comes_about_leaves_no_slot_on_the_source() {
    let spared = prepare();
    let ran = halted_between(&spared, &["--slot-timeout", "30"]).wait();
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("its replay is paused"), "{}", ran.stderr);
    let made = "SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_publication)";
    assert_eq!(spared.field.shop.source.run_sql("shop", made).unwrap(), "0");
    spared.standby.run_sql("shop", "SELECT pg_wal_replay_resume()").unwrap();
    spared.finish();
}

#[test]
fn rows_and_rewrites_between_the_slot_and_the_snapshot_arrive_once() {
    let mut spared = prepare();
    let changes = "INSERT INTO plain SELECT 'between', 1 FROM generate_series(1, 10);
        TRUNCATE emptied; INSERT INTO emptied VALUES (77, 'between');
        ALTER TABLE small_5 ADD COLUMN extra int DEFAULT 7; INSERT INTO small_5 VALUES (99001, 'between', NULL, 8);
        VACUUM FULL small_6; DELETE FROM keyed WHERE id = 1";
    let ran = changed_between(&spared, changes);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    spared.field.change();
    spared.finish();
}

#[test]
fn a_table_rewritten_after_the_snapshot_is_copied_from_a_new_one() {
    let mut spared = Spared::prepare(18, 18, FEEDBACK);
    let arguments = spared.field.arguments();
    let halt = [("ATALAYA_FAILPOINT", "copy-passing:2:stop")];
    let mut run = spared.field.shop.spawn_with("start", &arguments, &halt);
    run.wait_for_halt();
    let shop = &spared.field.shop;
    shop.source.run_sql("shop", "TRUNCATE emptied; INSERT INTO emptied VALUES (5, 'after')").unwrap();
    eventually("the standby has it", || spared.standby.run_sql("shop", "SELECT count(*) FROM emptied").unwrap() == "1");
    spared.field.change();
    run.go_on();
    let ran = run.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("copied anew from a new snapshot"), "{}", ran.stderr);
    spared.finish();
}
