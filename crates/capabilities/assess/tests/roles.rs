//! Roles as managed services give them, tolerated warnings, refusals before anything is asked.

use atalaya_assess::{Error, Plan, Status, assess};

use crate::support::{Kind, Login, create_database, looked_everywhere, run_sql, url};

const TABLES: &str = "CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t OWNER TO shaped;
    CREATE TABLE log (id int); ALTER TABLE log OWNER TO shaped;
    CREATE SEQUENCE s; ALTER SEQUENCE s OWNER TO shaped";

async fn plan(name: &str, sql: &str) -> Plan {
    let source = create_database(Kind::Old, &format!("{name}_source"), "").await;
    run_sql(Kind::Old, &source, sql).await;
    let target = create_database(Kind::New, &format!("{name}_target"), "").await;
    Plan::new(url(Kind::Old, &source, Login::Shaped), url(Kind::New, &target, Login::Shaped))
}

#[tokio::test]
async fn every_check_can_look_as_a_role_shaped_like_those_of_rds() {
    let report = assess(plan("shaped_all", TABLES).await).await.unwrap();
    looked_everywhere(&report);
    let failing: Vec<&str> =
        report.checks.iter().filter(|check| check.status == Status::Fail).map(|check| check.id).collect();
    assert_eq!(failing, ["replica-identity"]);
}

#[tokio::test]
async fn tables_of_the_shaped_role_with_identities_may_move() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t OWNER TO shaped";
    let report = assess(plan("shaped_clean", sql).await).await.unwrap();
    assert!(!report.forbids_move(), "{report:#?}");
}

#[tokio::test]
async fn a_check_that_cannot_look_never_passes() {
    let source = create_database(Kind::Old, "blind_source", "").await;
    run_sql(
        Kind::Old,
        &source,
        "CREATE TABLE t (id int PRIMARY KEY); REVOKE SELECT ON pg_prepared_xacts FROM PUBLIC;
         REVOKE SELECT ON pg_rewrite FROM PUBLIC",
    )
    .await;
    let target = create_database(Kind::New, "blind_target", "").await;
    let report =
        assess(Plan::new(url(Kind::Old, &source, Login::Plain), url(Kind::New, &target, Login::Plain))).await.unwrap();
    for (id, status) in [("prepared-transactions", Status::Fail), ("rules", Status::Warn)] {
        let check = report.check(id).unwrap();
        assert_eq!(check.status, status, "{check:#?}");
        assert!(check.findings[0].seen.contains("could not be looked at"));
        assert!(check.findings[0].seen.contains("permission denied"));
    }
}

#[tokio::test]
async fn a_tolerated_warning_does_not_forbid_a_strict_move_and_another_does() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t OWNER TO shaped;
               CREATE MATERIALIZED VIEW m AS SELECT 1 AS one";
    let mut strict = plan("tolerate_none", sql).await;
    strict.options.strict = true;
    let report = assess(strict).await.unwrap();
    assert!(report.forbids_move());
    let warned: Vec<String> =
        report.checks.iter().filter(|check| check.status == Status::Warn).map(|check| check.id.to_owned()).collect();
    assert!(warned.contains(&"materialized-views".to_owned()), "{warned:?}");
    let mut tolerant = plan("tolerate_all", sql).await;
    tolerant.options.strict = true;
    tolerant.options.tolerated = warned;
    let report = assess(tolerant).await.unwrap();
    assert!(!report.forbids_move(), "{report:#?}");
    assert!(report.check("materialized-views").unwrap().tolerated);
}

#[tokio::test]
async fn a_failure_cannot_be_tolerated() {
    let mut plan = plan("tolerate_failure", TABLES).await;
    plan.options.tolerated = vec!["replica-identity".to_owned()];
    assert!(assess(plan).await.unwrap().forbids_move());
}

#[tokio::test]
async fn a_tolerated_check_that_does_not_exist_is_an_error() {
    let mut plan = plan("tolerate_unknown", TABLES).await;
    plan.options.tolerated = vec!["replica-identiti".to_owned()];
    assert!(matches!(assess(plan).await, Err(Error::UnknownCheck(_))));
}

#[tokio::test]
async fn a_wrong_password_is_an_error_that_names_the_side_and_no_secret() {
    let source = create_database(Kind::Old, "wrong_password", "").await;
    let good = url(Kind::Old, &source, Login::Plain);
    let error = assess(Plan::new(good.clone(), good.with_password("hunter2"))).await.unwrap_err();
    assert!(matches!(error, Error::Side { side: atalaya_assess::SideName::Target, .. }));
    assert!(error.hint().unwrap().contains("password"));
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[tokio::test]
async fn the_json_form_is_versioned_and_holds_every_check() {
    let report = assess(plan("json_form", TABLES).await).await.unwrap();
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["forbids_move"], true);
    assert_eq!(json["checks"].as_array().unwrap().len(), atalaya_assess::ALL.len());
    let identity = json["checks"].as_array().unwrap().iter().find(|check| check["id"] == "replica-identity").unwrap();
    assert_eq!(identity["status"], "fail");
    assert_eq!(identity["findings"][0]["object"], "public.log");
    assert_eq!(identity["findings"][0]["remedy"], "ALTER TABLE \"public\".\"log\" REPLICA IDENTITY FULL;");
    let text = atalaya_assess::render_text(&report);
    assert!(text.contains("FAIL replica-identity"), "{text}");
    assert!(text.contains("the move is forbidden"), "{text}");
}
