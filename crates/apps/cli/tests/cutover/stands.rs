//! What keeps clients where they are before anything is touched: too much that is not applied, and a proof that is missing,
//! old, or not clean. Of real servers, which have these numbers by themselves.

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_sandbox::Server;
use serde_json::Value;

use super::front::{Front, Moved};
use crate::support::{Move, eventually};

const TABLES: &str = "CREATE TABLE ledger.noted (id int PRIMARY KEY, said text); GRANT ALL ON ledger.noted TO clerk";

/// What `--dry-run` says: its exit code, and each check with what was seen.
fn looked(front: &Front) -> (Option<i32>, Value) {
    let looked = front.lead("cutover", &["--dry-run", "--output", "json"]);
    let report: Value = serde_json::from_str(&looked.stdout).unwrap_or_else(|_| panic!("{looked:?}"));
    (looked.code, report["checks"].clone())
}

/// This check forbids it and no other one does, with the remedy; nobody is led away.
fn assert_forbidden(front: &Front, id: &str, seen: &str, remedy: &str) {
    let (code, checks) = looked(front);
    let failed: Vec<&Value> = checks.as_array().unwrap().iter().filter(|check| check["status"] == "fail").collect();
    assert!(code == Some(4) && failed.len() == 1 && failed[0]["id"] == id, "{code:?} {failed:?}");
    let finding = &failed[0]["findings"][0];
    assert!(finding["seen"].as_str().unwrap().contains(seen), "{finding}");
    assert_eq!(finding["remedy"], remedy);
    let refused = front.lead("cutover", &[]);
    front.assert_broken_off(&refused, 4, &[&format!("it is forbidden by: {id}"), seen, remedy], "shop");
}

fn assert_allowed(front: &Front) {
    let (code, checks) = looked(front);
    assert_eq!(code, Some(0), "{checks:#}");
}

/// A session of somebody that keeps others from writing to the table.
fn lock(front: &Front, server: &Server) -> Session {
    let url = ConnectionUrl::parse(&server.url("shop")).unwrap();
    front.runtime.block_on(async {
        let session = Session::connect(&url, "somebody's report").await.unwrap();
        session.batch("BEGIN; LOCK TABLE ledger.noted IN SHARE MODE").await.unwrap();
        session
    })
}

#[test]
fn more_log_than_a_pause_can_apply_keeps_clients_where_they_are_until_it_is_applied() {
    let front = Front::before(Move::between(13, 18), &[], TABLES);
    let (source, target) = (&front.shop.source, &front.shop.target);
    let locked = lock(&front, target);
    source.run_sql("shop", "INSERT INTO ledger.noted VALUES (0, 'waits')").unwrap();
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'ledger.noted'::regclass";
    eventually("nothing is applied", || target.run_sql("shop", waiting).unwrap() == "1");
    // Little may be left.
    assert_allowed(&front);

    let before = source.run_sql("shop", "SELECT pg_current_wal_lsn()").unwrap();
    source
        .run_sql("shop", "INSERT INTO ledger.noted SELECT n, repeat('x', 1000) FROM generate_series(1, 20000) n")
        .unwrap();
    let written = format!("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '{before}') > 16 * 1024 * 1024");
    assert_eq!(source.run_sql("shop", &written).unwrap(), "t");
    let remedy = "wait until less is left: `atalaya migrate status` shows it";
    assert_forbidden(&front, "replication", "of the log are not applied", remedy);

    front.batch(&locked, "COMMIT");
    let count = "SELECT count(*) FROM ledger.noted";
    eventually("it is applied", || target.run_sql("shop", count).unwrap() == "20001");
    assert_allowed(&front);
}

/// The proof is so much older.
fn age(front: &Front, hours: u32) {
    let back = format!("interval '{hours} hours'");
    let sql = format!(
        "UPDATE atalaya.proof SET passed_at = passed_at - {back}, clean_at = clean_at - {back};
         UPDATE atalaya.proof_tables SET full_at = full_at - {back}"
    );
    front.shop.target.run_sql("shop", &sql).unwrap();
}

#[test]
fn a_proof_that_is_missing_old_or_not_clean_keeps_clients_where_they_are_until_there_is_another_one() {
    let front = Front::of(&[Moved::SHOP], 13, 18);
    let (source, target) = (&front.shop.source, &front.shop.target);
    let remedy = "run `atalaya validate shop-to-18`";
    assert_forbidden(&front, "proof", "nothing was proven in this direction yet", remedy);
    front.prove("shop");
    assert_allowed(&front);

    age(&front, 23);
    assert_allowed(&front);
    age(&front, 25);
    assert_forbidden(&front, "proof", "the last proof is 48 h old", remedy);
    // What was written since is all that another one has to look at.
    let proven = front.ask(&["validate", "shop-to-18", "--touched"]);
    assert_eq!(proven.code, Some(0), "{}\n{}", proven.stdout, proven.stderr);
    assert_allowed(&front);

    source.run_sql("shop", "INSERT INTO ledger.draws VALUES (1), (2)").unwrap();
    let count = || target.run_sql("shop", "SELECT count(*) FROM ledger.draws").unwrap();
    eventually("they arrive", || count() == "2");
    target.run_sql("shop", "DELETE FROM ledger.draws WHERE id = 1").unwrap();
    // Nobody knows yet.
    assert_allowed(&front);
    let found = front.ask(&["validate", "shop-to-18"]);
    assert_eq!(found.code, Some(3), "{}\n{}", found.stdout, found.stderr);
    let repair = "run `atalaya validate shop-to-18 --repair`";
    assert_forbidden(&front, "proof", "the last proof found differences: ", repair);
    let repaired = front.ask(&["validate", "shop-to-18", "--repair"]);
    assert_eq!((repaired.code, count().as_str()), (Some(0), "2"), "{}\n{}", repaired.stdout, repaired.stderr);
    assert_allowed(&front);
    front.led(&["migrate", "cutover", "shop-to-18"]);
}
