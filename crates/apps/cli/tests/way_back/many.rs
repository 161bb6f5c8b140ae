//! A proof at rest of tables that are written fast: their keys are noted, however small they were when they were first
//! proven.

use atalaya_validate::RestProof;

use super::field::assert_comes_equal;
use super::leading::{LIMIT, plan};
use crate::support::{Move, Running, eventually};

const ROWS: u64 = 30_000;
const FULL_ROWS_MAX: u64 = 10_000;

/// With rows that are not those of another value: the same ones would be equal before any of it has arrived.
fn fill(shop: &Move, running: &mut Running, value: &str) {
    let sql = format!("INSERT INTO many SELECT i, '{value}' FROM generate_series(1, {ROWS}) i; ANALYZE many");
    shop.source.run_sql("shop", &sql).unwrap();
    assert_comes_equal(shop, running);
}

fn prove(shop: &Move) {
    let proof = shop.validate(&["--touched", "--output", "json"]);
    assert_eq!(proof.code, Some(0), "{}\n{}", proof.stdout, proof.stderr);
    let report: serde_json::Value = serde_json::from_str(&proof.stdout).unwrap();
    assert_eq!(report["recorded"], true, "{report}");
}

async fn at_rest(shop: &Move) -> RestProof {
    RestProof::prepare(plan(&shop.source_url, &shop.target_url), FULL_ROWS_MAX).await.unwrap()
}

#[tokio::test]
async fn a_table_that_began_empty_is_proven_by_its_keys_and_one_that_was_emptied_after_another_pass() {
    let shop = Move::between(14, 18);
    shop.source
        .run_sql("shop", "CREATE TABLE many (id int PRIMARY KEY, v text) WITH (autovacuum_enabled = off)")
        .unwrap();
    let mut running = shop.follow(&[]);
    prove(&shop);
    fill(&shop, &mut running, "v");
    let mut proof = at_rest(&shop).await;
    assert_eq!(proof.beyond_now().await.unwrap(), []);
    let passed = proof.pass(LIMIT).await.unwrap();
    assert!(passed.is_clean() && passed.keys == ROWS, "{passed:?}");

    shop.source.run_sql("shop", "TRUNCATE many").unwrap();
    fill(&shop, &mut running, "w");
    // The catalog, which is looked at now and then, says that its rows are others. Later that would undo the next proof.
    let proven = || shop.target.run_sql("shop", "SELECT count(*) FROM atalaya.proof_tables").unwrap();
    eventually("what was proven of it counts for nothing", || proven() == "0");
    let beyond = proof.beyond_now().await.unwrap();
    assert_eq!(beyond.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["many"]);
    let refused = proof.pass(LIMIT).await.unwrap();
    assert_eq!(refused.unproven, beyond, "{refused:?}");
    prove(&shop);
    assert_eq!(proof.beyond_now().await.unwrap(), []);
    assert!(proof.pass(LIMIT).await.unwrap().is_clean());

    // More of it is noted once more is known to be in it, and what was proven stays proven.
    let known =
        || shop.target.run_sql("shop", "SELECT keys_max, full_lsn IS NOT NULL FROM atalaya.proof_tables").unwrap();
    assert_eq!(known().trim(), "300000|t");
    shop.source.run_sql("shop", "UPDATE pg_class SET reltuples = 9e6 WHERE relname = 'many'").unwrap();
    prove(&shop);
    assert_eq!(known().trim(), "500000|t");
}
