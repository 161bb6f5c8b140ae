//! `--set-replica-identity`: plans first, sets only what it planned, waits for no lock for long.

use std::time::{Duration, Instant};

use atalaya_assess::{Plan, apply_identities, assess, plan_identities};

use crate::support::{Kind, Login, create_database, run_sql, session, url};

const LOCK_TIMEOUT: Duration = Duration::from_millis(200);

fn plan(source_kind: Kind, source: &str, target: &str) -> Plan {
    Plan::new(url(source_kind, source, Login::Superuser), url(Kind::New, target, Login::Superuser))
}

async fn identity_of(kind: Kind, database: &str, table: &str) -> String {
    session(kind, database)
        .await
        .query_one("SELECT relreplident::text FROM pg_class WHERE relname = $1", &[&table])
        .await
        .unwrap()
        .get(0)
}

#[tokio::test]
async fn each_table_gets_the_best_identity_it_can_have() {
    let source = create_database(Kind::Old, "identities", "").await;
    run_sql(
        Kind::Old,
        &source,
        "CREATE TABLE whole (id int);
         CREATE TABLE narrow (id int, u int NOT NULL UNIQUE, nullable int UNIQUE);
         CREATE TABLE nothing (id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
         CREATE TABLE late (id int PRIMARY KEY DEFERRABLE);
         CREATE TABLE fine (id int PRIMARY KEY);
         CREATE TABLE \"Odd \"\"name\" (id int)",
    )
    .await;
    let target = create_database(Kind::New, "identities_target", "").await;
    let changes = plan_identities(plan(Kind::Old, &source, &target)).await.unwrap();
    let statements: Vec<&str> = changes.iter().map(|change| change.sql.as_deref().unwrap()).collect();
    assert_eq!(
        statements,
        [
            "ALTER TABLE \"public\".\"Odd \"\"name\" REPLICA IDENTITY FULL;",
            "ALTER TABLE \"public\".\"late\" REPLICA IDENTITY FULL;",
            "ALTER TABLE \"public\".\"narrow\" REPLICA IDENTITY USING INDEX \"narrow_u_key\";",
            "ALTER TABLE \"public\".\"nothing\" REPLICA IDENTITY DEFAULT;",
            "ALTER TABLE \"public\".\"whole\" REPLICA IDENTITY FULL;",
        ]
    );
    assert_eq!(identity_of(Kind::Old, &source, "whole").await, "d", "planning altered it");

    let results = apply_identities(&url(Kind::Old, &source, Login::Superuser), &changes, LOCK_TIMEOUT).await.unwrap();
    assert!(results.iter().all(|result| result.altered), "{results:#?}");
    assert_eq!(identity_of(Kind::Old, &source, "whole").await, "f");
    assert_eq!(identity_of(Kind::Old, &source, "narrow").await, "i");
    let report = assess(plan(Kind::Old, &source, &target)).await.unwrap();
    let check = report.check("replica-identity").unwrap();
    assert!(check.findings.is_empty(), "{check:#?}");
}

#[tokio::test]
async fn a_locked_table_is_reported_and_not_waited_for() {
    let source = create_database(Kind::Old, "identities_locked", "").await;
    run_sql(Kind::Old, &source, "CREATE TABLE busy (id int); CREATE TABLE idle (id int)").await;
    let target = create_database(Kind::New, "identities_locked_target", "").await;
    let changes = plan_identities(plan(Kind::Old, &source, &target)).await.unwrap();
    let holder = session(Kind::Old, &source).await;
    holder.batch("BEGIN; LOCK TABLE public.busy IN ROW EXCLUSIVE MODE").await.unwrap();
    let started = Instant::now();
    let results = apply_identities(&url(Kind::Old, &source, Login::Superuser), &changes, LOCK_TIMEOUT).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(!results[0].altered && results[0].detail.contains("3 tries"), "{results:#?}");
    assert!(results[1].altered, "{results:#?}");
    assert_eq!(identity_of(Kind::Old, &source, "busy").await, "d");
}

#[tokio::test]
async fn on_18_whole_rows_with_a_generated_column_are_never_set_as_they_would_stop_the_source() {
    let source = create_database(Kind::New, "identities_generated", "").await;
    run_sql(
        Kind::New,
        &source,
        "CREATE TABLE t (id int, d int GENERATED ALWAYS AS (id * 2) STORED); INSERT INTO t VALUES (1)",
    )
    .await;
    let target = create_database(Kind::New, "identities_generated_target", "").await;
    let changes = plan_identities(plan(Kind::New, &source, &target)).await.unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].sql, None);
    assert!(changes[0].reason.contains("generated column"));

    // The rule itself, so that it is seen when a later version of the server changes it.
    let session = session(Kind::New, &source).await;
    session.batch("ALTER TABLE public.t REPLICA IDENTITY FULL; CREATE PUBLICATION p FOR TABLE public.t").await.unwrap();
    let refused = session.batch("UPDATE public.t SET id = 2").await.unwrap_err();
    assert_eq!(refused.sqlstate(), Some("42P10"));
}
