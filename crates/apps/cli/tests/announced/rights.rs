//! Who may make the trigger, and where it is refused.

use super::{TRIGGER, of_trigger, refused};
use crate::managed::act_as_managed_role;
use crate::support::Move;

/// Nothing of ours on either side.
fn assert_untouched(shop: &Move) {
    let ours = "SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_publication)
                     + (SELECT count(*) FROM pg_namespace WHERE nspname = 'atalaya')";
    for server in [&shop.source, &shop.target] {
        assert_eq!(server.run_sql("shop", ours).unwrap(), "0");
        assert_eq!(of_trigger(server), "0|0|0");
    }
}

/// The check of the trigger, as `assess` has it.
fn assessed(shop: &Move) -> serde_json::Value {
    let words = ["assess", "--source", "env:SOURCE_URL", "--target", "env:TARGET_URL", "--ddl-trigger"];
    let ran = crate::support::ran(&mut shop.command(&[&words[..], &["--output", "json"]].concat()));
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let mut checks = report["checks"].as_array().unwrap().iter();
    checks.find(|check| check["id"] == "ddl-trigger").unwrap().clone()
}

#[test]
fn a_role_of_a_managed_service_without_the_right_is_refused_before_anything_is_made() {
    let mut shop = Move::between(18, 18);
    shop.source.run_sql("shop", "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)").unwrap();
    act_as_managed_role(&mut shop);
    let seen = ["ddl-trigger: source: the source's role may not", "permission denied to create event trigger"];
    refused(shop.run("start", TRIGGER), &seen);
    assert_untouched(&shop);
    let check = assessed(&shop);
    assert_eq!(check["status"], "fail", "{check}");
    let remedy = check["findings"][0]["remedy"].as_str().unwrap();
    assert!(remedy.contains(" SUPERUSER") && remedy.contains("without `--ddl-trigger`"), "{remedy}");
    assert_untouched(&shop);
    shop.done("start", &["--stop-when", "caught-up"]);
    // Nor is a move that has begun changed by it.
    refused(shop.run("start", TRIGGER), &["ddl-trigger-right"]);
    assert_eq!(of_trigger(&shop.source), "0|0|0");
    let noted = "SELECT options ? 'ddl_trigger' FROM atalaya.migration";
    assert_eq!(shop.target.run_sql("shop", noted).unwrap(), "f");
    shop.done("finish", &[]);
    shop.assert_equal();
}

#[test]
fn a_source_that_does_not_send_messages_is_refused() {
    let shop = Move::between(13, 18);
    shop.source.run_sql("shop", "CREATE TABLE a (id int PRIMARY KEY)").unwrap();
    refused(shop.run("start", TRIGGER), &["ddl-trigger: source: the source is PostgreSQL 13"]);
    assert_untouched(&shop);
    shop.done("start", &["--stop-when", "caught-up"]);
    refused(
        shop.run("start", TRIGGER),
        &["ddl-trigger-version", "the source is PostgreSQL 13", "without `--ddl-trigger`"],
    );
}

#[test]
fn the_estate_file_asks_for_it_too() {
    let shop = Move::between(14, 14);
    shop.source.run_sql("shop", "CREATE TABLE a (id int PRIMARY KEY)").unwrap();
    let file = shop.state().join("estate.yaml");
    let estate = "estate: e\ndatabases:\n  old: { engine: postgres, url: \"${SOURCE_URL}\" }\n  \
                  new: { engine: postgres, url: \"${TARGET_URL}\" }\n\
                  migrations:\n  shop: { source: old, target: new, ddl_trigger: true }\n";
    std::fs::write(&file, estate).unwrap();
    let words = ["assess", "shop", "--estate", file.to_str().unwrap(), "--output", "json"];
    let report = crate::support::ran(&mut shop.command(&words)).stdout;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let mut checks = report["checks"].as_array().unwrap().iter();
    assert_eq!(checks.find(|check| check["id"] == "ddl-trigger").unwrap()["status"], "pass");
    assert_untouched(&shop);
    let words = ["migrate", "start", "shop", "--stop-when", "caught-up", "--estate", file.to_str().unwrap()];
    let ran = crate::support::ran(&mut shop.command(&words));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(of_trigger(&shop.source), "3|1|1");
    let dry = shop.done("abort", &["--dry-run"]);
    assert!(dry.contains("1 slots and 1 publications from the source with the event trigger"), "{dry}");
    assert_eq!(of_trigger(&shop.source), "3|1|1");
    shop.done("abort", &[]);
    assert_untouched(&shop);
}
