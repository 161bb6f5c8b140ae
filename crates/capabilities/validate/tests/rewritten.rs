//! TRUNCATE does not keep to snapshots.

use std::sync::atomic::{AtomicU32, Ordering};

use atalaya_validate::{Event, Progress, TableStatus};

use crate::support::{Databases, run_with, shorts, table};

/// Runs SQL on both sides once snapshots are open and before a table is looked at.
struct Between<'all> {
    databases: &'all Databases,
    sql: &'static str,
    times: u32,
    opened: AtomicU32,
}

impl<'all> Between<'all> {
    fn new(databases: &'all Databases, sql: &'static str, times: u32) -> Self {
        Self { databases, sql, times, opened: AtomicU32::new(0) }
    }

    fn opened(&self) -> u32 {
        self.opened.load(Ordering::Relaxed)
    }
}

impl Progress for Between<'_> {
    fn tell(&self, event: &Event<'_>) {
        if matches!(event, Event::Opened { .. }) && self.opened.fetch_add(1, Ordering::Relaxed) < self.times {
            self.databases.run_both(self.sql);
        }
    }
}

const TABLES: &str = "
    CREATE TABLE emptied (id int PRIMARY KEY, v text);
    INSERT INTO emptied SELECT i, 'v' || i FROM generate_series(1, 100) i;
    CREATE TABLE tree (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE leaf PARTITION OF tree FOR VALUES FROM (0) TO (1000);
    INSERT INTO tree SELECT i, 'v' || i FROM generate_series(1, 100) i;
    CREATE TABLE kept (id int PRIMARY KEY); INSERT INTO kept VALUES (1); ANALYZE";

#[test]
fn a_table_emptied_under_its_snapshot_is_looked_at_again_and_differences_are_not_hidden_by_it() {
    let databases = Databases::new();
    databases.run_both(TABLES);
    // In the old snapshots both sides look empty, which is neither what they held nor what they hold.
    let refilled = "TRUNCATE emptied, leaf; INSERT INTO tree VALUES (7, 'new');
                    INSERT INTO emptied SELECT 5, 'v' || (current_setting('server_version_num')::int > 140000)";
    let between = Between::new(&databases, refilled, 1);
    let report = run_with(&databases.plan(), &between).unwrap();
    assert_eq!(shorts(table(&report, "emptied")), ["different 5 [v]"]);
    let tree = table(&report, "tree");
    assert_eq!((tree.status, tree.source_rows, tree.target_rows), (TableStatus::Equal, 1, 1));
    assert_eq!(table(&report, "kept").status, TableStatus::Equal);
    assert_eq!((between.opened(), report.tables.len()), (2, 3));
}

#[test]
fn a_table_that_is_emptied_each_time_is_not_proven() {
    let databases = Databases::new();
    databases.run_both(TABLES);
    let between = Between::new(&databases, "TRUNCATE emptied", u32::MAX);
    let report = run_with(&databases.plan(), &between).unwrap();
    let emptied = table(&report, "emptied");
    assert_eq!(emptied.status, TableStatus::NotProven);
    assert!(emptied.note.as_deref().unwrap().contains("emptied or rewritten"), "{:?}", emptied.note);
    assert_eq!(table(&report, "tree").status, TableStatus::Equal);
    assert_eq!(between.opened(), 5);
}
