//! Partitions that are attached and detached on the source while its tree is followed: the target's becomes the same.

use super::{assert_same, caught_up, done, refused, tree};
use crate::support::{Move, eventually};

/// A tree with a default partition and a sub-tree, tables that will go into it, and what refers to it.
const BEFORE: &str = "
CREATE TABLE event (id int, day int, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day); CREATE INDEX event_v ON event (v);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (0) TO (10);
CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM (10) TO (20);
CREATE TABLE event_3 PARTITION OF event FOR VALUES FROM (20) TO (30);
CREATE TABLE event_rest PARTITION OF event DEFAULT;
CREATE TABLE old (v text, junk int, day int NOT NULL, id int NOT NULL, PRIMARY KEY (id, day)); ALTER TABLE old DROP junk;
CREATE TABLE sub (id int NOT NULL, day int NOT NULL, v text, PRIMARY KEY (id, day)) PARTITION BY LIST (id);
CREATE TABLE sub_odd PARTITION OF sub FOR VALUES IN (1, 3, 5, 7); CREATE TABLE sub_rest PARTITION OF sub DEFAULT;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON event FOR EACH ROW EXECUTE FUNCTION nothing();
INSERT INTO event SELECT n, n % 35, 'v' || n FROM generate_series(1, 300) n;
INSERT INTO old SELECT 'old' || n, 100 + n % 10, n FROM generate_series(1, 100) n;
INSERT INTO sub SELECT n, 200 + n % 10, 's' || n FROM generate_series(1, 50) n;
CREATE TABLE log (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (100);
CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM (100) TO (200); INSERT INTO log SELECT n, 'l' FROM generate_series(0, 199) n";

const ALL: [&str; 10] = ["event", "event_1", "event_2", "event_3", "event_rest", "old", "sub", "log", "log_1", "log_2"];

const ATTACHED: &str = "
ALTER TABLE event ATTACH PARTITION old FOR VALUES FROM (100) TO (110);
INSERT INTO event VALUES (1001, 105, 'through the root'); UPDATE event SET day = 106 WHERE id = 299; UPDATE event SET day = 3 WHERE v = 'old7';
ALTER TABLE event ATTACH PARTITION sub FOR VALUES FROM (200) TO (300); INSERT INTO event VALUES (7, 250, 'to sub'), (8, 250, 'to sub');
UPDATE event SET id = id + 1 WHERE v = 'to sub' AND id = 8";

fn followed(from: u16, to: u16) {
    let shop = Move::between(from, to);
    shop.source.run_sql("shop", BEFORE).unwrap();
    let mut running = shop.follow(&[]);
    let writes = "UPDATE event SET v = v || '.' WHERE id % 9 = 0; UPDATE event SET day = (day + 11) % 35 WHERE id % 50 = 0 AND day < 35";
    shop.source.run_sql("shop", &format!("{ATTACHED}; {writes}")).unwrap();
    let is_alike = || tree(&shop.source) == tree(&shop.target);
    eventually("what was attached is so on the target", is_alike);
    // Detached, written to as a table of its own in ways that its former place did not allow, and another in its place.
    let concurrently = if from >= 14 { "CONCURRENTLY" } else { "" };
    shop.source.run_sql("shop", &format!("ALTER TABLE log DETACH PARTITION log_1 {concurrently}")).unwrap();
    shop.source
        .run_sql(
            "shop",
            &format!(
                "ALTER TABLE log_1 DROP CONSTRAINT IF EXISTS log_1_id_check; INSERT INTO log_1 SELECT n, 'outside' FROM generate_series(1000, 1099) n;
                 ALTER TABLE event DETACH PARTITION event_1; INSERT INTO event_1 SELECT n, 500, 'on its own' FROM generate_series(1, 99) n;
                 UPDATE event_1 SET day = day + 70 WHERE id < 40 AND day < 10; DELETE FROM event_1 WHERE id > 250; {writes}"
            ),
        )
        .unwrap();
    eventually("what was detached is so on the target", is_alike);
    // At once, and with other bounds: off, on again elsewhere, in one transaction with rows.
    shop.source
        .run_sql(
            "shop",
            "BEGIN; ALTER TABLE event DETACH PARTITION event_2; ALTER TABLE event DETACH PARTITION event_3; ALTER TABLE event DETACH PARTITION event_rest;
             DELETE FROM event_2 WHERE day > 15; INSERT INTO event_3 VALUES (900, 17, 'moved in');
             ALTER TABLE event ATTACH PARTITION event_2 FOR VALUES FROM (10) TO (16); ALTER TABLE event ATTACH PARTITION event_3 FOR VALUES FROM (16) TO (30);
             ALTER TABLE event ATTACH PARTITION event_rest DEFAULT; INSERT INTO event VALUES (901, 29, 'to the third'); COMMIT",
        )
        .unwrap();
    eventually("what was divided anew is so on the target", is_alike);
    running.assert_alive();
    shop.source.run_sql("shop", writes).unwrap();
    let valid = shop.validate(&[]);
    assert_eq!(valid.code, Some(0), "{}\n{}", valid.stdout, valid.stderr);
    let said = running.stderr();
    assert!(said.contains("table public.old was attached to public.event, as on the source"), "{said}");
    assert!(said.contains("table public.event_1 was detached from public.event, as on the source"), "{said}");
    shop.done("finish", &[]);
    assert_eq!(running.wait().code, Some(0));
    assert_same(&shop, &ALL);
    assert_eq!(tree(&shop.source), tree(&shop.target));
    let triggers = "SELECT tgrelid::regclass FROM pg_trigger WHERE tgname = 'touch' ORDER BY tgrelid::regclass::text";
    assert_eq!(shop.source.run_sql("shop", triggers).unwrap(), shop.target.run_sql("shop", triggers).unwrap());
}

#[test]
fn from_13_to_18_partitions_are_attached_and_detached_as_on_the_source() {
    followed(13, 18);
}

#[test]
fn from_15_to_15_partitions_are_attached_and_detached_as_on_the_source() {
    followed(15, 15);
}

#[test]
fn from_18_to_18_partitions_are_attached_and_detached_as_on_the_source() {
    followed(18, 18);
}

#[test]
fn what_changed_while_nobody_followed_is_met_by_the_next_run_and_by_finish_over_kills() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", BEFORE).unwrap();
    done(caught_up(&shop, &[]));
    shop.source
        .run_sql(
            "shop",
            &format!(
                "{ATTACHED}; ALTER TABLE event DETACH PARTITION event_1; INSERT INTO event_1 VALUES (1, 500, 'outside')"
            ),
        )
        .unwrap();
    for place in ["trees-followed", "trees-followed:2"] {
        let killed = shop.spawn_with("start", &["--stop-when", "caught-up"], &[("ATALAYA_FAILPOINT", place)]).wait();
        assert!(killed.signal == Some(9) || killed.code == Some(0), "{place}: {}", killed.stderr);
        shop.source.run_sql("shop", "UPDATE event SET v = v || '.' WHERE id < 50").unwrap();
    }
    // A partition with a row that its place on the target does not allow, attached there by somebody else.
    shop.source
        .run_sql("shop", "ALTER TABLE event DETACH PARTITION event_2; INSERT INTO event_2 VALUES (2, 600, 'outside')")
        .unwrap();
    shop.done("finish", &[]);
    assert_same(&shop, &ALL);
    assert_eq!(tree(&shop.source), tree(&shop.target));
}

#[test]
fn what_cannot_be_followed_is_told_and_finish_refuses_until_it_is_done_by_hand() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", BEFORE).unwrap();
    shop.source
        .run_sql("shop", "CREATE TABLE base (id int PRIMARY KEY, v text); CREATE TABLE heir (id int PRIMARY KEY, v text); INSERT INTO heir VALUES (1, 'h')")
        .unwrap();
    done(caught_up(&shop, &[]));
    // A condition that nothing of the stream has brought, and that the tree asks of each of its partitions.
    shop.source
        .run_sql(
            "shop",
            "ALTER TABLE event ADD CONSTRAINT short CHECK (length(v) < 100); ALTER TABLE heir INHERIT base;
             ALTER TABLE old ADD CONSTRAINT short CHECK (length(v) < 100); ALTER TABLE event ATTACH PARTITION old FOR VALUES FROM (100) TO (110);
             INSERT INTO event VALUES (5000, 101, 'in old')",
        )
        .unwrap();
    shop.target.run_sql("shop", "ALTER TABLE event ADD CONSTRAINT short CHECK (length(v) < 100)").unwrap();
    let said = done(caught_up(&shop, &[]));
    assert!(
        said.contains("table public.old was attached to public.event on the source, which is not followed"),
        "{said}"
    );
    assert!(said.contains("inheritance is not followed"), "{said}");
    let ran = shop.run("finish", &[]);
    refused(&ran, "trees-differ");
    shop.target
        .run_sql("shop", "ALTER TABLE old ADD CONSTRAINT short CHECK (length(v) < 100); ALTER TABLE heir INHERIT base")
        .unwrap();
    shop.done("finish", &[]);
    assert_same(&shop, &ALL);
    assert_same(&shop, &["base", "heir"]);
    assert_eq!(tree(&shop.source), tree(&shop.target));
}

#[test]
fn a_partition_that_was_detached_and_dropped_is_dropped_on_the_target_before_the_end() {
    for version in [13, 18] {
        let shop = Move::between(version, 18);
        shop.source.run_sql("shop", BEFORE).unwrap();
        done(caught_up(&shop, &[]));
        shop.source
            .run_sql(
                "shop",
                "UPDATE event_1 SET v = 'last' WHERE id < 100; ALTER TABLE event DETACH PARTITION event_1; DELETE FROM event_1 WHERE id > 200;
                 DROP TABLE event_1; INSERT INTO event VALUES (5, 5, 'to the default partition')",
            )
            .unwrap();
        let said = done(caught_up(&shop, &[]));
        assert!(said.contains("table public.event_1 is gone from the source"), "{said}");
        let ran = shop.run("finish", &[]);
        assert_eq!(ran.code, Some(3), "{}\n{}", ran.stdout, ran.stderr);
        shop.target.run_sql("shop", "DROP TABLE event_1").unwrap();
        shop.done("finish", &[]);
        assert_same(&shop, &["event", "event_2", "event_rest"]);
        assert_eq!(tree(&shop.source), tree(&shop.target));
    }
}
