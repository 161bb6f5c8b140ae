//! Policies that a table cannot have are refused before anything is touched, and again when they are changed later.

use super::{POLICIES, prepared};
use crate::support::Move;

#[test]
fn what_a_policy_could_not_see_is_refused_by_the_assessment_and_by_a_later_start() {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE keyed (id int PRIMARY KEY, at timestamptz, n int);
             CREATE TABLE plain (id int); ALTER TABLE plain REPLICA IDENTITY FULL;
             CREATE TABLE later (id int PRIMARY KEY, n int UNIQUE DEFERRABLE)",
        )
        .unwrap();
    let refused = |policy: &str, word: &str| {
        let ran = shop.run("start", &["--conflicts", policy, "--stop-when", "caught-up"]);
        assert_eq!(ran.code, Some(4), "{policy}: {}", ran.stderr);
        assert!(ran.stderr.contains(word), "{policy}: {}", ran.stderr);
    };
    refused("plain=source-wins", "public.plain: `source-wins` needs a key");
    refused("source-wins", "public.plain");
    refused("keyed=target-wins", "takes the source's old row");
    refused("keyed=latest-wins:n", "is no timestamp");
    refused("keyed=latest-wins:nowhere", "there is no column \"nowhere\"");
    refused("later=source-wins", "deferrable unique key");
    assert_eq!(shop.target.run_sql("shop", "SELECT to_regnamespace('atalaya') IS NULL").unwrap(), "t");
    assert_eq!(shop.run("start", &["--conflicts", "keyed=wins"]).code, Some(2));
    assert_eq!(shop.run("start", &["--conflicts", "keyed=latest-wins"]).code, Some(2));
    shop.done("start", &["--stop-when", "caught-up"]);
    refused("keyed=target-wins", "REPLICA IDENTITY FULL");
    shop.source.run_sql("shop", "ALTER TABLE keyed REPLICA IDENTITY FULL").unwrap();
    shop.done("start", &["--conflicts", "keyed=target-wins", "--stop-when", "caught-up"]);
    // What was sufficient is not any more: noticed at the next start.
    shop.source.run_sql("shop", "ALTER TABLE keyed REPLICA IDENTITY DEFAULT").unwrap();
    let ran = shop.run("start", &["--stop-when", "caught-up"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("ALTER TABLE \"public\".\"keyed\" REPLICA IDENTITY FULL"), "{}", ran.stderr);
}

#[test]
fn rows_that_differ_by_decision_are_repaired_and_left_behind_only_when_that_is_said() {
    let shop = prepared(15, 18);
    shop.target.run_sql("shop", "UPDATE target_wins SET v = 'theirs' WHERE id = 5").unwrap();
    shop.source.run_sql("shop", "UPDATE target_wins SET v = 'ours' WHERE id = 5").unwrap();
    let mut running = shop.follow(&POLICIES);
    let repaired = shop.validate(&["--repair"]);
    assert_ne!(repaired.code, Some(0), "{}", repaired.stdout);
    assert!(repaired.stderr.contains("target-wins"), "{}", repaired.stderr);
    running.assert_alive();
    assert_eq!(shop.target.run_sql("shop", "SELECT v FROM target_wins WHERE id = 5").unwrap(), "theirs");
    let refused = shop.run("finish", &[]);
    assert_eq!(refused.code, Some(3), "{}\n{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("--accept-differences"), "{}", refused.stderr);
    // Only differences by decision can be accepted.
    let other = shop.run("finish", &["--accept-differences", "stops"]);
    assert_eq!(other.code, Some(4), "{}\n{}", other.stdout, other.stderr);
    let finished = shop.done("finish", &["--accept-differences", "target_wins", "--output", "json"]);
    let finished: serde_json::Value = serde_json::from_str(&finished).unwrap();
    assert_eq!(finished["accepted"], serde_json::json!(["public.target_wins"]));
    assert_eq!(finished["conflicts"][0]["kind"], "update_differs");
    assert_eq!(shop.target.run_sql("shop", "SELECT v FROM target_wins WHERE id = 5").unwrap(), "theirs");
}
