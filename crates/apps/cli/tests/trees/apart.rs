//! Trees that the target divides in another way, made before the move: what has one name holds the same rows on both sides, or
//! the move says how it comes to.

use super::{assert_same, caught_up, done, refused};
use crate::support::Move;

const EXISTING: [&str; 1] = ["--existing-schema"];

const SOURCE: &str = "
CREATE TABLE event (id int, day int, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (0) TO (10); CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM (10) TO (20);
CREATE TABLE old (id int NOT NULL, day int NOT NULL, v text, PRIMARY KEY (id, day));
INSERT INTO event SELECT n, n % 20, 'v' || n FROM generate_series(1, 200) n; INSERT INTO old SELECT n, 50, 'o' FROM generate_series(1, 30) n";

/// One plain table for the whole tree.
const FLAT: &str = "CREATE TABLE event (v text, id int, day int, PRIMARY KEY (id, day));
CREATE TABLE old (id int NOT NULL, day int NOT NULL, v text, PRIMARY KEY (id, day))";

fn flat(from: u16) -> Move {
    let shop = Move::between(from, 18);
    shop.source.run_sql("shop", SOURCE).unwrap();
    shop.target.run_sql("shop", FLAT).unwrap();
    done(caught_up(&shop, &EXISTING));
    assert_same(&shop, &["event", "old"]);
    shop
}

/// A partition that became a table of its own would stay part of the target's one table, proven equal and yet another.
fn a_detached_partition(from: u16) {
    let shop = flat(from);
    let how = if from >= 14 { "CONCURRENTLY" } else { "" };
    shop.source.run_sql("shop", &format!("ALTER TABLE event DETACH PARTITION event_1 {how}")).unwrap();
    shop.source.run_sql("shop", "UPDATE event_1 SET v = 'alone' WHERE id < 50; UPDATE event SET v = v || '.'").unwrap();
    let said = done(caught_up(&shop, &EXISTING));
    assert!(said.contains("rows of public.event_1 are in public.event on the target, and not on the source"), "{said}");
    refused(&shop.run("finish", &EXISTING), "make table public.event_1 on the target like the source's");
    let again: Vec<&str> = [&["--table", "public.event_1", "--again"], &EXISTING[..]].concat();
    refused(&shop.run("add-table", &again), "the target has no table public.event_1 like the source's");
    shop.target.run_sql("shop", "CREATE TABLE event_1 (id int, v text, day int, PRIMARY KEY (id, day))").unwrap();
    shop.done("add-table", &again);
    shop.source
        .run_sql("shop", "INSERT INTO event_1 VALUES (9000, 9, 'later'); UPDATE event SET v = 'l' WHERE id = 190")
        .unwrap();
    shop.done("finish", &EXISTING);
    assert_same(&shop, &["event", "event_1", "old"]);
}

#[test]
fn from_13_a_partition_detached_from_what_is_one_table_here_gets_its_own() {
    a_detached_partition(13);
}

#[test]
fn from_18_a_partition_detached_from_what_is_one_table_here_gets_its_own() {
    a_detached_partition(18);
}

#[test]
fn a_table_attached_to_what_is_one_table_here_moves_into_it_while_the_run_follows() {
    let shop = flat(15);
    let running = shop.follow(&EXISTING);
    shop.source
        .run_sql(
            "shop",
            "ALTER TABLE event ATTACH PARTITION old FOR VALUES FROM (50) TO (60); INSERT INTO event VALUES (777, 55, 'through the root');
             UPDATE event SET day = 56 WHERE id = 111",
        )
        .unwrap();
    crate::support::eventually("told", || {
        running.stderr().contains("rows of public.old are in public.event on the source, and not on the target")
    });
    refused(&shop.run("finish", &EXISTING), "drop public.old on the target");
    let again: Vec<&str> = [&["--table", "public.old", "--again"], &EXISTING[..]].concat();
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.target.run_sql("shop", "DROP TABLE old").unwrap();
    shop.done("add-table", &again);
    let running = shop.follow(&EXISTING);
    shop.source.run_sql("shop", "DELETE FROM event WHERE id = 5; UPDATE event SET v = 'x' WHERE day = 50").unwrap();
    shop.done("finish", &EXISTING);
    assert_eq!(running.wait().code, Some(0));
    assert_same(&shop, &["event"]);
}

#[test]
fn a_partition_dropped_from_what_is_one_table_here_leaves_no_row_in_it() {
    let shop = flat(18);
    // Whatever was written to it just before is on its way still.
    shop.source
        .run_sql(
            "shop",
            "UPDATE event_1 SET v = 'last'; ALTER TABLE event DETACH PARTITION event_1; DROP TABLE event_1; UPDATE event SET v = v || '.'",
        )
        .unwrap();
    let again: Vec<&str> = [&["--table", "public.event", "--again"], &EXISTING[..]].concat();
    shop.done("add-table", &again);
    done(caught_up(&shop, &EXISTING));
    assert_same(&shop, &["event"]);
    shop.done("finish", &EXISTING);
    assert_same(&shop, &["event"]);
}

#[test]
fn a_partition_dropped_from_what_is_one_table_here_is_told_and_proven_to_differ() {
    let shop = flat(13);
    shop.source.run_sql("shop", "DROP TABLE event_1; INSERT INTO event VALUES (4000, 12, 'n')").unwrap();
    let said = done(caught_up(&shop, &EXISTING));
    assert!(said.contains("add-table --table public.event --again"), "{said}");
    let ran = shop.run("finish", &EXISTING);
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.stdout, ran.stderr);
    let again: Vec<&str> = [&["--table", "public.event", "--again"], &EXISTING[..]].concat();
    shop.done("add-table", &again);
    shop.done("finish", &EXISTING);
    assert_same(&shop, &["event", "old"]);
}

#[test]
fn a_new_partition_of_what_is_one_table_here_comes_into_it() {
    let shop = flat(14);
    shop.target
        .run_sql("shop", "CREATE TABLE refers (id int, day int, FOREIGN KEY (id, day) REFERENCES event)")
        .unwrap();
    shop.source
        .run_sql("shop", "CREATE TABLE event_3 PARTITION OF event DEFAULT; INSERT INTO event SELECT n, 30, 'new' FROM generate_series(1001, 1020) n")
        .unwrap();
    let said = done(caught_up(&shop, &EXISTING));
    assert!(said.contains("table public.event_3 came after the move began"), "{said}");
    refused(&shop.run("finish", &EXISTING), "tables-not-moved");
    let add: Vec<&str> = [&["--table", "public.event_3"], &EXISTING[..]].concat();
    shop.done("add-table", &add);
    done(caught_up(&shop, &EXISTING));
    shop.source
        .run_sql("shop", "UPDATE event SET day = 40 WHERE id IN (3, 1003); DELETE FROM event WHERE id = 4")
        .unwrap();
    shop.done("finish", &EXISTING);
    assert_same(&shop, &["event"]);
}

#[test]
fn sides_that_would_hold_other_rows_under_one_name_are_refused_before_anything_is_made() {
    let shop = Move::between(15, 15);
    shop.source.run_sql("shop", SOURCE).unwrap();
    shop.target
        .run_sql(
            "shop",
            "CREATE TABLE event (id int, day int, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day); CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM (10) TO (20);
             CREATE TABLE event_1 (id int NOT NULL, day int NOT NULL, v text, PRIMARY KEY (id, day));
             CREATE TABLE old (id int NOT NULL, day int NOT NULL, v text, PRIMARY KEY (id, day))",
        )
        .unwrap();
    refused(
        &caught_up(&shop, &EXISTING),
        "rows of public.event_1 are in public.event on the source, and not on the target",
    );
    assert_eq!(shop.source.run_sql("shop", "SELECT count(*) FROM pg_replication_slots").unwrap(), "0");
    shop.target.run_sql("shop", "ALTER TABLE event ATTACH PARTITION event_1 FOR VALUES FROM (0) TO (10)").unwrap();
    done(caught_up(&shop, &EXISTING));
    shop.done("finish", &EXISTING);
    assert_same(&shop, &["event", "event_1", "old"]);
}

/// Its rows are in its partitions: read alone, a partitioned table is always empty.
#[test]
fn rows_that_a_partitioned_table_here_would_keep_for_nobody_are_refused() {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE t_1 PARTITION OF t DEFAULT;
             INSERT INTO t SELECT generate_series(1, 9)",
        )
        .unwrap();
    shop.target
        .run_sql(
            "shop",
            "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE t_all PARTITION OF t DEFAULT",
        )
        .unwrap();
    done(caught_up(&shop, &EXISTING));
    shop.source.run_sql("shop", "ALTER TABLE t DETACH PARTITION t_1").unwrap();
    shop.target.run_sql("shop", "CREATE TABLE t_1 (id int PRIMARY KEY)").unwrap();
    let again: Vec<&str> = [&["--table", "public.t_1", "--again"], &EXISTING[..]].concat();
    refused(&shop.run("add-table", &again), "table public.t of the target holds rows");
    shop.target.run_sql("shop", "TRUNCATE t").unwrap();
    shop.done("add-table", &again);
    shop.done("finish", &EXISTING);
    assert_same(&shop, &["t", "t_1"]);
}
