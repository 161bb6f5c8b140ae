//! Differences are planted; exactly these are reported.

use crate::support::{Databases, run, shorts, table};
use atalaya_validate::TableStatus;

const TABLES: &str = "
    CREATE TABLE cells (id int PRIMARY KEY, a text, b numeric, c float8, d char(10), e text);
    INSERT INTO cells SELECT i, 'a' || i, 1.0, 0, 'd' || i, CASE WHEN i <> 40 THEN 'x' END
      FROM generate_series(1, 20000) i;
    CREATE TABLE events (at int, what text);
    INSERT INTO events SELECT i % 100, 'w' || i % 100 FROM generate_series(1, 5000) i;
    CREATE TABLE untouched (id bigint PRIMARY KEY, v text);
    INSERT INTO untouched SELECT i, md5(i::text) FROM generate_series(1, 5000) i;
    ANALYZE;";

#[test]
fn equal_databases_are_clean() {
    let databases = Databases::new();
    databases.run_both(TABLES);
    let report = run(&databases.plan()).unwrap();
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!(report.totals.source_rows, 30_000);
    assert_eq!(report.totals.target_rows, 30_000);
    assert!(table(&report, "cells").keyed && !table(&report, "events").keyed);
}

#[test]
fn every_planted_difference_is_found_and_nothing_else() {
    let databases = Databases::new();
    databases.run_both(TABLES);
    databases.run_target(
        "UPDATE cells SET a = 'other' WHERE id = 17;
         DELETE FROM cells WHERE id = 18;
         INSERT INTO cells (id) VALUES (20001);
         UPDATE cells SET a = CASE id WHEN 30 THEN 'a31' ELSE 'a30' END WHERE id IN (30, 31);
         UPDATE cells SET e = '' WHERE id = 40;
         UPDATE cells SET c = '-0' WHERE id = 41;
         UPDATE cells SET b = 1.00 WHERE id = 42;
         UPDATE cells SET e = 'x  ' WHERE id = 43;
         UPDATE cells SET e = 'X' WHERE id = 44;
         UPDATE cells SET d = 'D45', e = NULL WHERE id = 45;
         INSERT INTO events VALUES (7, 'w7');
         DELETE FROM events WHERE ctid = (SELECT ctid FROM events WHERE at = 8 LIMIT 1);",
    );
    let report = run(&databases.plan()).unwrap();
    let cells = table(&report, "cells");
    assert_eq!(
        shorts(cells),
        [
            "different 17 [a]",
            "different 30 [a]",
            "different 31 [a]",
            "different 40 [e]",
            "different 41 [c]",
            "different 42 [b]",
            "different 43 [e]",
            "different 44 [e]",
            "different 45 [d,e]",
            "extra 20001 []",
            "missing 18 []",
        ]
    );
    assert_eq!((cells.missing, cells.extra, cells.different), (1, 1, 9));
    let events = table(&report, "events");
    assert_eq!(shorts(events), ["extra  []", "missing  []"]);
    assert_eq!(table(&report, "untouched").status, TableStatus::Equal);
    assert!(report.has_differences() && !report.is_clean());
}

#[test]
fn one_duplicate_in_a_table_without_a_key_is_one_extra_row() {
    let databases = Databases::new();
    databases.run_both(TABLES);
    databases.run_target("INSERT INTO events SELECT * FROM events WHERE at = 7 LIMIT 1");
    let report = run(&databases.plan()).unwrap();
    let events = table(&report, "events");
    assert_eq!((events.missing, events.extra, events.different), (0, 1, 0));
    assert!(events.findings[0].target_place.is_some());
    assert_eq!(report.totals.extra, 1);
}

#[test]
fn values_are_masked_unless_asked_for() {
    let databases = Databases::new();
    databases.run_both(TABLES);
    databases.run_target("UPDATE cells SET a = 'hunter2' WHERE id = 17; INSERT INTO cells VALUES (20001, 'hunter3')");
    let mut plan = databases.plan();
    let masked = serde_json::to_string(&run(&plan).unwrap()).unwrap();
    assert!(!masked.contains("hunter"), "{masked}");
    plan.show_values = true;
    let shown = serde_json::to_value(run(&plan).unwrap()).unwrap();
    assert_eq!(shown["version"], 1);
    let findings = &shown["tables"][0]["findings"];
    assert_eq!(findings[0]["columns"][0]["values"]["source"], "a17");
    assert_eq!(findings[0]["columns"][0]["values"]["target"], "hunter2");
    assert_eq!(findings[1]["kind"], "extra");
    assert_eq!(findings[1]["columns"][1]["values"]["target"], "hunter3");
}

#[test]
fn many_differences_are_counted_exactly_and_listed_up_to_the_limit() {
    let databases = Databases::new();
    databases.run_both(TABLES);
    databases.run_target("UPDATE cells SET a = a || '!' WHERE id > 5000; DELETE FROM cells WHERE id <= 1000");
    let mut plan = databases.plan();
    plan.listed_max = 10;
    let report = run(&plan).unwrap();
    let cells = table(&report, "cells");
    assert_eq!((cells.missing, cells.extra, cells.different), (1000, 0, 15_000));
    assert_eq!(cells.findings.len(), 10);
}
