//! Methods, limits, sequences and refusals.

use std::time::Duration;

use crate::support::{Databases, run, table};
use atalaya_estate::ConnectionUrl;
use atalaya_validate::{Error, Method, Scope, SequenceStatus, TableFilter, TableStatus};

const TABLES: &str = "
    CREATE TABLE keyed (id int PRIMARY KEY, v text);
    INSERT INTO keyed SELECT i, 'v' || i FROM generate_series(1, 20000) i;
    CREATE TABLE keyless (v text);
    INSERT INTO keyless SELECT 'v' || i FROM generate_series(1, 20000) i; ANALYZE";

#[test]
fn counts_see_numbers_of_rows_only() {
    let databases = Databases::new();
    databases.run_both(TABLES);
    databases.run_target("UPDATE keyed SET v = ''; DELETE FROM keyless WHERE v = 'v1'");
    let mut plan = databases.plan();
    plan.method = Method::Counts;
    let report = run(&plan).unwrap();
    assert_eq!(table(&report, "keyed").status, TableStatus::Equal);
    assert_eq!(table(&report, "keyless").missing, 1);
    assert!(report.has_differences());
}

#[test]
fn a_sample_takes_the_same_rows_on_both_sides() {
    let databases = Databases::new();
    databases.run_both(TABLES);
    let mut plan = databases.plan();
    plan.method = Method::Sample(1000);
    let report = run(&plan).unwrap();
    assert!(report.is_clean(), "{report:#?}");
    for name in ["keyed", "keyless"] {
        let rows = table(&report, name).source_rows;
        assert!((700..1300).contains(&rows), "{rows} rows of `{name}`");
    }
    databases.run_target("UPDATE keyed SET v = ''");
    let report = run(&plan).unwrap();
    let keyed = table(&report, "keyed");
    assert_eq!((keyed.different, keyed.missing), (keyed.source_rows, 0));
}

#[test]
fn a_table_that_takes_longer_than_its_snapshot_may_live_is_not_proven() {
    let databases = Databases::new();
    databases.run_both(TABLES);
    let mut plan = databases.plan();
    plan.snapshot_age_limit = Duration::from_millis(1);
    let report = run(&plan).unwrap();
    assert!(!report.is_clean() && !report.has_differences());
    let keyed = table(&report, "keyed");
    assert_eq!(keyed.status, TableStatus::NotProven);
    assert!(keyed.note.as_deref().unwrap().contains("age limit"));
}

#[test]
fn sequences_that_stand_elsewhere_are_differences_where_nothing_writes() {
    let databases = Databases::new();
    databases.run_both("CREATE TABLE t (id int PRIMARY KEY); CREATE SEQUENCE s; CREATE SEQUENCE u");
    databases.run_source("SELECT setval('s', 10); SELECT setval('u', 1)");
    databases.run_target("SELECT setval('u', 1)");
    let report = run(&databases.plan()).unwrap();
    assert!(report.has_differences());
    assert_eq!(report.sequences.len(), 1);
    let sequence = &report.sequences[0];
    assert_eq!((sequence.name.name.as_str(), sequence.status, sequence.source), ("s", SequenceStatus::Lower, 10));
    databases.run_target("SELECT setval('s', 10)");
    assert!(run(&databases.plan()).unwrap().is_clean());
}

#[test]
fn hidden_rows_are_refused_and_the_other_tables_are_compared() {
    let databases = Databases::new();
    databases.run_both(TABLES);
    databases.run_both(
        "ALTER TABLE keyed ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON keyed USING (id < 10);
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC",
    );
    let mut plan = databases.plan();
    let reader = format!("reader_{}", databases.name);
    let source = databases.source.create_rds_shaped_role(&reader, &databases.name).unwrap();
    let target = databases.target.create_rds_shaped_role(&reader, &databases.name).unwrap();
    plan.source = ConnectionUrl::parse(&databases.source.url_as(&source, &databases.name)).unwrap();
    plan.target = ConnectionUrl::parse(&databases.target.url_as(&target, &databases.name)).unwrap();
    let report = run(&plan).unwrap();
    let keyed = table(&report, "keyed");
    assert_eq!(keyed.status, TableStatus::Failed);
    assert!(report.was_refused() && keyed.refused && !report.is_clean());
    assert_eq!(table(&report, "keyless").status, TableStatus::Equal);
}

#[test]
fn no_match_and_no_migration_are_errors_with_a_hint() {
    let databases = Databases::new();
    databases.run_both(TABLES);
    let mut plan = databases.plan();
    plan.tables = TableFilter::new(|_| false);
    let error = run(&plan).unwrap_err();
    assert!(matches!(error, Error::NothingMatches) && error.hint().is_some());
    let mut plan = databases.plan();
    plan.scope = Scope::Migration { name: "none".to_owned() };
    let error = run(&plan).unwrap_err();
    assert!(matches!(&error, Error::NoMigration { name } if name == "none") && error.hint().is_some());
}
