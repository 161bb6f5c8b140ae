//! Every check has a case where it fires and one where it is quiet: two databases ready for a move.

use std::collections::BTreeSet;

use atalaya_assess::{ALL, Plan, Severity, Status, assess};

use crate::cases;
use crate::support::{Expect, Kind, Login, create_database, looked_everywhere, run_sql, url};

/// A schema with much in it and nothing to find fault with.
const SHOP: &str = "
    CREATE TYPE mood AS ENUM ('glad', 'sad');
    CREATE TABLE customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, mood mood,
        tags text[], extra jsonb, shout text GENERATED ALWAYS AS (upper(name)) STORED);
    CREATE TABLE orders (id bigserial PRIMARY KEY, customer int REFERENCES customers, note varchar(20));
    CREATE TABLE events (at timestamptz NOT NULL, id int NOT NULL, what text, PRIMARY KEY (at, id))
        PARTITION BY RANGE (at);
    CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2030-01-01');
    CREATE TABLE pairs (a int NOT NULL, b uuid NOT NULL, v xml);
    CREATE UNIQUE INDEX pairs_key ON pairs (a, b);
    ALTER TABLE pairs REPLICA IDENTITY USING INDEX pairs_key;
    CREATE VIEW glad AS SELECT id FROM customers WHERE mood = 'glad';
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER touched BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
    INSERT INTO customers (name) VALUES ('a'), ('b');
    INSERT INTO orders (customer) VALUES (1)";

/// Checks that state figures for information in any case.
const ALWAYS_INFORM: [&str; 3] = ["wal-disk", "lock-table", "tables-selected"];

#[tokio::test]
async fn two_databases_ready_for_a_move_leave_every_check_quiet() {
    let source = create_database(Kind::Old, "ready_source", "").await;
    run_sql(Kind::Old, &source, SHOP).await;
    let target = create_database(Kind::New, "ready_target", "").await;
    let report =
        assess(Plan::new(url(Kind::Old, &source, Login::Superuser), url(Kind::New, &target, Login::Superuser)))
            .await
            .unwrap();
    looked_everywhere(&report);
    assert!(!report.forbids_move());
    let quiet_elsewhere: BTreeSet<&str> =
        cases::all().iter().filter(|case| matches!(case.expect, Expect::Quiet)).map(|case| case.id).collect();
    for (check, result) in ALL.iter().zip(&report.checks) {
        match result.status {
            Status::Pass => assert!(
                check.severity > Severity::Info || result.findings.is_empty() || ALWAYS_INFORM.contains(&check.id),
                "{result:#?}"
            ),
            Status::NotApplicable => {
                assert!(quiet_elsewhere.contains(check.id), "{} has no case where it looks and is quiet", check.id)
            }
            Status::Warn | Status::Fail => panic!("{result:#?}"),
        }
    }
}

#[test]
fn every_check_has_a_case_where_it_fires() {
    let fire: BTreeSet<&str> =
        cases::all().iter().filter(|case| matches!(case.expect, Expect::Fires(..))).map(|case| case.id).collect();
    let all: BTreeSet<&str> = ALL.iter().map(|check| check.id).collect();
    assert_eq!(fire, all);
    assert_eq!(all.len(), ALL.len(), "an id is used twice");
}

#[test]
fn a_check_can_find_the_worst_it_declares_and_nothing_worse() {
    for check in ALL.iter() {
        let worst = cases::all()
            .iter()
            .filter(|case| case.id == check.id)
            .filter_map(|case| match case.expect {
                Expect::Fires(status, _) => Some(status),
                Expect::Quiet => None,
            })
            .max();
        let declared = match check.severity {
            Severity::Info => Status::Pass,
            Severity::Warn => Status::Warn,
            Severity::Fail => Status::Fail,
        };
        assert_eq!(worst, Some(declared), "{}", check.id);
    }
}

#[test]
fn every_check_can_be_documented() {
    for check in ALL.iter() {
        assert!(
            check.id.chars().all(|each| each.is_ascii_lowercase() || each.is_ascii_digit() || each == '-'),
            "{}",
            check.id
        );
        for text in [check.title, check.why, check.remedy] {
            assert!(!text.is_empty() && !text.ends_with('.'), "{}", check.id);
        }
    }
    let list = atalaya_assess::render_list();
    assert_eq!(list.lines().count(), ALL.len());
}
