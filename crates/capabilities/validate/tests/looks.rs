//! Two looks at databases that are written to.

use std::time::Duration;

use crate::support::{Databases, run_with, shorts, table};
use atalaya_validate::{Event, Moment, Plan, Progress, Scope, TableStatus};

/// Runs SQL on the target each time before rows are looked at again.
struct Writer<'all> {
    databases: &'all Databases,
    sql: &'static str,
}

impl Progress for Writer<'_> {
    fn tell(&self, event: &Event<'_>) {
        if matches!(event, Event::LookingAgain { .. }) {
            self.databases.run_target(self.sql);
        }
    }
}

fn plan(databases: &Databases) -> Plan {
    let mut plan = databases.plan();
    plan.scope = Scope::Databases { moment: Moment::Looks { pause: Duration::ZERO, looks_max: 3 } };
    plan
}

const TABLES: &str = "
    CREATE TABLE keyed (id int PRIMARY KEY, v text);
    INSERT INTO keyed SELECT i, 'v' || i FROM generate_series(1, 5000) i;
    CREATE TABLE keyless (v text);
    INSERT INTO keyless SELECT 'v' || i FROM generate_series(1, 5000) i; ANALYZE";

#[test]
fn what_arrives_meanwhile_is_equal_and_what_stays_is_different() {
    let databases = Databases::new();
    databases.run_both(TABLES);
    databases.run_target(
        "DELETE FROM keyed WHERE id IN (1, 2); UPDATE keyed SET v = 'old' WHERE id IN (3, 4);
         DELETE FROM keyless WHERE v IN ('v1', 'v2')",
    );
    let writer = Writer {
        databases: &databases,
        sql: "INSERT INTO keyed VALUES (1, 'v1') ON CONFLICT DO NOTHING; UPDATE keyed SET v = 'v3' WHERE id = 3;
              INSERT INTO keyless SELECT 'v1' WHERE NOT EXISTS (SELECT FROM keyless WHERE v = 'v1')",
    };
    let report = run_with(&plan(&databases), &writer).unwrap();
    assert_eq!(shorts(table(&report, "keyed")), ["different 4 [v]", "missing 2 []"]);
    let keyless = table(&report, "keyless");
    assert_eq!((keyless.missing, keyless.extra), (1, 0));
}

#[test]
fn rows_that_keep_changing_are_not_proven() {
    let databases = Databases::new();
    databases.run_both(TABLES);
    databases.run_target("UPDATE keyed SET v = 'old' WHERE id = 3");
    let writer = Writer { databases: &databases, sql: "UPDATE keyed SET v = v || '!' WHERE id = 3" };
    let report = run_with(&plan(&databases), &writer).unwrap();
    let keyed = table(&report, "keyed");
    assert_eq!((keyed.status, keyed.unstable), (TableStatus::NotProven, 1));
    assert!(!report.is_clean() && !report.has_differences());
    assert_eq!(table(&report, "keyless").status, TableStatus::Equal);
}
