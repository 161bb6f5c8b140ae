//! `finish` killed while it restores foreign keys and validates them: the same command ends in keys as the source has them.

use crate::held::Held;
use crate::managed::act_as_managed_role;
use crate::support::{Move, eventually, ran};

/// Three keys to validate, two of them of one table, one that is not valid on the source, and one that cannot be added
/// without a look at its rows.
const TABLES: &str = "
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, one int REFERENCES parent, other int REFERENCES parent);
CREATE TABLE grandchild (id int PRIMARY KEY, child int REFERENCES child);
CREATE TABLE loose (id int PRIMARY KEY, parent int);
CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES parent) PARTITION BY RANGE (id);
CREATE TABLE tree_1 PARTITION OF tree DEFAULT;
INSERT INTO parent SELECT generate_series(1, 100);
INSERT INTO child SELECT i, i, 101 - i FROM generate_series(1, 100) i;
INSERT INTO grandchild SELECT i, i FROM generate_series(1, 100) i;
INSERT INTO loose SELECT i, i FROM generate_series(90, 110) i;
INSERT INTO tree SELECT i, i FROM generate_series(1, 100) i;
ALTER TABLE loose ADD FOREIGN KEY (parent) REFERENCES parent NOT VALID;";

const KEYS: &str =
    "FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND connamespace = 'public'::regnamespace";

fn validated(shop: &Move) -> String {
    shop.target.run_sql("shop", &format!("SELECT count(*) {KEYS} AND convalidated")).unwrap()
}

/// A move that has caught up, of a role that may not be a replica: its foreign keys wait for `finish`.
fn caught_up(from: u16, to: u16) -> Move {
    let mut shop = Move::between(from, to);
    shop.source.run_sql("shop", TABLES).unwrap();
    act_as_managed_role(&mut shop);
    shop.done("start", &["--stop-when", "caught-up"]);
    assert_eq!(shop.target.run_sql("shop", &format!("SELECT count(*) {KEYS}")).unwrap(), "0");
    shop
}

fn assert_as_on_source(shop: &Move) {
    let keys = "SELECT conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid) FROM pg_constraint
                 WHERE contype = 'f' ORDER BY 1, 2";
    let (source, target) = (shop.source.run_sql("shop", keys).unwrap(), shop.target.run_sql("shop", keys).unwrap());
    assert_eq!(source, target);
    assert_eq!(validated(shop), "4");
    shop.assert_equal();
}

/// Killed after each key that is added, and after each that is validated: two of each are left then.
fn killed_between_keys(from: u16, to: u16) {
    let shop = caught_up(from, to);
    let one_by_one = ["--index-workers", "1"];
    for (place, of_all) in [
        ("foreign-key-added:1", None),
        ("foreign-key-added:3", None),
        ("foreign-key-validated:1", Some("2")),
        ("foreign-key-validated:1", Some("3")),
        ("foreign-key-validated:1", Some("4")),
        ("foreign-keys-restored:1", Some("4")),
    ] {
        let killed = ran(shop.command(&Move::migrate("finish", &one_by_one)).env("ATALAYA_FAILPOINT", place));
        assert_eq!(killed.signal, Some(9), "{place}: {:?} {}", killed.code, killed.stderr);
        if let Some(all) = of_all {
            assert_eq!(validated(&shop), all, "{place}");
        }
    }
    shop.done("finish", &one_by_one);
    assert_as_on_source(&shop);
}

#[test]
fn from_13_to_14_finish_killed_between_two_keys_goes_on_with_the_next() {
    killed_between_keys(13, 14);
}

#[test]
fn from_14_to_18_finish_killed_between_two_keys_goes_on_with_the_next() {
    killed_between_keys(14, 18);
}

#[test]
fn a_validation_that_outlives_its_killed_finish_is_ended_and_the_keys_are_validated() {
    let shop = caught_up(13, 14);
    // A validation has its locks by the time that its step is written.
    let wait = "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
                    'BEGIN PERFORM pg_catalog.pg_advisory_xact_lock(42); RETURN NEW; END';
                CREATE TRIGGER wait BEFORE INSERT ON atalaya.steps FOR EACH ROW
                    WHEN (NEW.step LIKE 'VALIDATE % child_one_fkey %') EXECUTE FUNCTION wait()";
    shop.target.run_sql("shop", wait).unwrap();
    let held = Held::open(&shop.target_url, "SELECT pg_advisory_lock(42)");
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'atalaya foreign keys shop'
                      AND wait_event = 'advisory'";
    let asked = |sql: &str| shop.target.run_sql("shop", sql).unwrap();
    let first = shop.spawn("finish", &["--index-workers", "1"]);
    eventually("a validation that waits", || asked(waiting) == "1");
    let zombie = asked(&waiting.replace("count(*)", "pid"));
    drop(first);
    assert_eq!(asked(waiting), "1", "the killed run's validation is gone by itself");
    let second = shop.spawn("finish", &["--index-workers", "1"]);
    let other = format!("{waiting} AND pid <> {zombie}");
    eventually("the second run's own validation", || asked(&other) == "1");
    assert_eq!(asked(waiting), "1", "the killed run's validation stands in its way");
    drop(held);
    let ran = second.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_as_on_source(&shop);
}
