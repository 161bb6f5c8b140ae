//! Kills between the steps of a move: from its first row to the removal of its last.

use super::field::Field;
use crate::held::Held;
use crate::support::{Move, eventually, ran};

/// Places before the first change is followed, with the phase that the target's rows must then say.
const START: &[(&str, &str)] = &[
    ("migration-written:1", "created"),
    ("slot-made:1", "created"),
    ("position-stored:1", "copy"),
    ("schema-restored:1", "copy"),
    ("copy-committed:5", "copy"),
    ("index-built:1", "copy"),
    ("index-built:3", "copy"),
    ("rows-copied:1", "copy"),
    ("foreign-keys-restored:1", "copy"),
    ("indexes-built:1", "copy"),
    ("vacuumed:1", "copy"),
];

/// Places in `finish`, likewise.
const FINISH: &[(&str, &str)] =
    &[("schema-completed:1", "stream"), ("finish-stored:1", "finished"), ("source-cleaned:1", "finished")];

fn phase(field: &Field) -> String {
    field.shop.target.run_sql("shop", "SELECT phase FROM atalaya.migration WHERE name = 'shop'").unwrap()
}

#[test]
fn a_kill_after_each_step_and_the_same_command_at_once_end_in_an_equal_target() {
    let mut field = Field::prepare(Move::between(16, 18));
    for (place, expected) in START {
        // The same command follows without a wait for the dead run's backends.
        let ran = field.start_with(place);
        assert_eq!(ran.signal, Some(9), "{place}: {:?} {}", ran.code, ran.stderr);
        assert_eq!(phase(&field), *expected, "{place}");
    }
    field.change();
    field.go_on();
    for (place, expected) in FINISH {
        let ran = ran(field.shop.command(&Move::migrate("finish", &[])).env("ATALAYA_FAILPOINT", place));
        assert_eq!(ran.signal, Some(9), "{place}: {:?} {}", ran.code, ran.stderr);
        assert_eq!(phase(&field), *expected, "{place}");
    }
    let start = field.shop.run("start", &["--stop-when", "caught-up"]);
    assert_eq!(start.code, Some(4), "{}", start.stderr);
    assert!(start.stderr.contains("hint: run `atalaya migrate finish` again"), "{}", start.stderr);
    field.shop.done("finish", &[]);
    field.shop.assert_equal();
    let ours = "SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_publication)";
    assert_eq!(field.shop.source.run_sql("shop", ours).unwrap(), "0");
    let schema = "SELECT count(*) FROM pg_namespace WHERE nspname = 'atalaya'";
    assert_eq!(field.shop.target.run_sql("shop", schema).unwrap(), "0");
}

#[test]
fn finish_never_begins_a_migration() {
    let field = Field::prepare(Move::between(15, 15));
    let ran = field.shop.run("finish", &[]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no migration `shop`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
    let slots = "SELECT count(*) FROM pg_replication_slots";
    assert_eq!(field.shop.source.run_sql("shop", slots).unwrap(), "0");
}

#[test]
fn an_index_build_that_outlives_its_killed_run_is_ended_before_it_is_begun_again() {
    let field = Field::prepare(Move::between(15, 18));
    // The copy has let go of its tables, and no index with a condition is begun.
    let now = field.kill_at("rows-copied:1");
    assert_eq!(now.tables_done(), now.tables.len());
    let target = &field.shop.target;
    let lock = Held::open(&field.shop.target_url, "BEGIN; LOCK TABLE public.small_9 IN ROW EXCLUSIVE MODE");
    let building = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'atalaya indexes shop'
                       AND wait_event_type = 'Lock'";
    let first = field.shop.spawn("start", &["--stop-when", "caught-up"]);
    eventually("an index build that waits", || target.run_sql("shop", building).unwrap() == "1");
    let zombie = target.run_sql("shop", &building.replace("count(*)", "pid")).unwrap();
    drop(first);
    assert_eq!(target.run_sql("shop", building).unwrap(), "1", "the killed run's build is gone by itself");
    let second = field.shop.spawn("start", &["--stop-when", "caught-up"]);
    let other = format!("{building} AND pid <> {zombie}");
    eventually("the second run's own build", || target.run_sql("shop", &other).unwrap() == "1");
    drop(lock);
    let ran = second.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    field.finish();
}

#[test]
fn a_validation_that_outlives_its_killed_run_is_ended_before_it_is_begun_again() {
    let field = Field::prepare(Move::between(15, 18));
    field.kill_at("rows-copied:1");
    let target = &field.shop.target;
    // A validation has its locks by the time that its step is written.
    let wait = "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
                    'BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NEW; END';
                CREATE TRIGGER wait BEFORE INSERT ON atalaya.steps FOR EACH ROW
                    WHEN (NEW.step LIKE 'VALIDATE %') EXECUTE FUNCTION wait()";
    target.run_sql("shop", wait).unwrap();
    let held = Held::open(&field.shop.target_url, "SELECT pg_advisory_lock(42)");
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'atalaya foreign keys shop'
                      AND wait_event_type = 'Lock'";
    let first = field.shop.spawn("start", &["--stop-when", "caught-up"]);
    eventually("a validation that waits", || target.run_sql("shop", waiting).unwrap() == "1");
    let zombie = target.run_sql("shop", &waiting.replace("count(*)", "pid")).unwrap();
    drop(first);
    assert_eq!(target.run_sql("shop", waiting).unwrap(), "1", "the killed run's validation is gone by itself");
    let second = field.shop.spawn("start", &["--stop-when", "caught-up"]);
    let other = format!("{waiting} AND pid <> {zombie}");
    eventually("the second run's own validation", || target.run_sql("shop", &other).unwrap() == "1");
    assert_eq!(target.run_sql("shop", waiting).unwrap(), "1", "the killed run's validation stands in its way");
    drop(held);
    let ran = second.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    field.finish();
}

#[test]
fn a_commit_that_outlives_its_killed_run_counts_once() {
    let mut field = Field::prepare(Move::between(15, 18));
    field.go_on();
    field.change();
    // A standby that is not there: commits of apply are on disk, and nobody sees them until their wait ends.
    field.shop.target.run_sql("shop", "ALTER DATABASE shop SET synchronous_commit = local").unwrap();
    field.shop.target.configure("synchronous_standby_names", "nowhere").unwrap();
    field.shop.target.reload();
    let target = &field.shop.target;
    eventually("reloaded", || target.run_sql("shop", "SHOW synchronous_standby_names").unwrap() == "nowhere");
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'atalaya apply shop'
                      AND wait_event = 'SyncRep'";
    let stored = "SELECT applied FROM atalaya.progress WHERE writer = 0";
    let before = target.run_sql("shop", stored).unwrap();
    let first = field.shop.spawn("start", &["--stop-when", "caught-up", "--synchronous-commit"]);
    eventually("a commit that waits", || target.run_sql("shop", waiting).unwrap() == "1");
    drop(first);
    assert_eq!(target.run_sql("shop", waiting).unwrap(), "1", "the killed run's commit is gone by itself");
    assert_eq!(target.run_sql("shop", stored).unwrap(), before, "the commit can be seen already");
    let second = field.shop.spawn("start", &["--stop-when", "caught-up"]);
    eventually("the commit has counted", || target.run_sql("shop", stored).unwrap() != before);
    field.shop.target.configure("synchronous_standby_names", "").unwrap();
    field.shop.target.reload();
    let ran = second.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    field.finish();
}
