//! Each kind under each policy, alone and as one among many changes of a group.

use super::{TABLES, caught_up, counted, prepared, rows};
use crate::support::Move;

/// Runs the same SQL on every table; `{t}` is its name.
fn on_all(server: &atalaya_sandbox::Server, sql: &str) {
    for table in TABLES {
        server.run_sql("shop", &sql.replace("{t}", table)).unwrap();
    }
}

fn settled(shop: &Move) {
    let ran = caught_up(shop);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
}

#[test]
fn rows_that_are_there_changed_or_gone_are_settled_by_each_tables_policy() {
    let shop = prepared(15, 18);
    // Later and earlier than what the source writes below, which is of 2022.
    on_all(
        &shop.target,
        "INSERT INTO {t} VALUES (200, 'theirs, late', 200, '2023-01-01', 'x'), (201, 'theirs, early', 201, '2021-01-01', 'x');
         DELETE FROM {t} WHERE id IN (10, 11);
         UPDATE {t} SET v = 'theirs, late', updated_at = '2023-01-01' WHERE id IN (20, 30);
         UPDATE {t} SET v = 'theirs, early', updated_at = '2021-01-01' WHERE id IN (21, 31);
         UPDATE {t} SET v = 'theirs, to come', updated_at = '2999-01-01' WHERE id = 32;
         DELETE FROM {t} WHERE id = 33",
    );
    // One transaction with many rows, of which few are in conflict.
    on_all(
        &shop.source,
        "BEGIN;
         INSERT INTO {t} SELECT n, 'ours', n, '2022-01-01', 'y' FROM generate_series(150, 260) n;
         UPDATE {t} SET v = 'ours', updated_at = '2022-01-01' WHERE id BETWEEN 10 AND 29;
         DELETE FROM {t} WHERE id BETWEEN 30 AND 33;
         COMMIT",
    );
    settled(&shop);
    let some = "id IN (200, 201, 10, 20, 21, 30, 31, 32, 33)";
    let source = "10:ours:10 20:ours:20 21:ours:21 200:ours:200 201:ours:201";
    assert_eq!(rows(&shop.source, "source_wins", some), source);
    assert_eq!(rows(&shop.target, "source_wins", some), source);
    assert_eq!(
        rows(&shop.target, "target_wins", some),
        "20:theirs, late:20 21:theirs, early:21 30:theirs, late:30 31:theirs, early:31 32:theirs, to come:32 \
         200:theirs, late:200 201:theirs, early:201"
    );
    // The deletes were committed just now: later than 2023, earlier than 2999.
    let latest = "10:ours:10 20:theirs, late:20 21:ours:21 32:theirs, to come:32 200:theirs, late:200 201:ours:201";
    assert_eq!(rows(&shop.target, "latest_wins", some), latest);
    assert_eq!(rows(&shop.target, "full_latest_wins", some), latest);
    // A changed row is seen only where the old one travels, or a later time tells.
    assert_eq!(
        counted(&shop, "source_wins"),
        "1 delete_missing source, 2 insert_exists source, 2 update_missing source"
    );
    assert_eq!(
        counted(&shop, "target_wins"),
        "3 delete_differs target, 1 delete_missing source, 2 insert_exists target, 2 update_differs target, \
         2 update_missing target"
    );
    assert_eq!(
        counted(&shop, "latest_wins"),
        "1 delete_differs target, 1 delete_missing source, 1 insert_exists source, 1 insert_exists target, \
         1 update_differs target, 2 update_missing source"
    );
    assert_eq!(
        counted(&shop, "full_latest_wins"),
        "2 delete_differs source, 1 delete_differs target, 1 delete_missing source, 1 insert_exists source, \
         1 insert_exists target, 1 update_differs source, 1 update_differs target, 2 update_missing source"
    );
    // The large value did not travel with the update: it was read again.
    let whole = "SELECT count(*) FROM source_wins WHERE id IN (10, 11) AND big = repeat(id::text, 3000)";
    assert_eq!(shop.target.run_sql("shop", whole).unwrap(), "2");
    // Nothing of the values is kept unless asked for, and what was met is told.
    let kept = "SELECT count(*) FROM atalaya.conflicts WHERE key IS NOT NULL OR source_row IS NOT NULL OR target_row IS NOT NULL";
    assert_eq!(shop.target.run_sql("shop", kept).unwrap(), "0");
    let status = shop.status();
    let policy = |name: &str| {
        let tables = status["tables"].as_array().unwrap().clone();
        tables.into_iter().find(|table| table["table"]["name"] == name).unwrap()["conflicts"].clone()
    };
    assert_eq!(policy("latest_wins"), "latest-wins:updated_at");
    assert_eq!(policy("stops"), "stop");
    assert_eq!(status["conflicts"].as_array().unwrap().len(), 22);
    let list = shop.done("conflicts", &["--output", "json"]);
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let hashed =
        list["conflicts"].as_array().unwrap().iter().find(|row| row["kind"] == "insert_exists").unwrap().clone();
    assert_eq!(hashed["key_columns"], serde_json::json!(["id"]));
    assert_eq!(hashed["key_hash"].as_str().unwrap().len(), 64);
    // The table without a policy stops, with an exit code of its own.
    shop.target.run_sql("shop", "DELETE FROM stops WHERE id = 1").unwrap();
    shop.source.run_sql("shop", "DELETE FROM stops WHERE id = 1").unwrap();
    let ran = caught_up(&shop);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(counted(&shop, "stops"), "1 delete_missing stopped");
    // A policy that is given later counts from then on.
    shop.done(
        "start",
        &[
            "--conflicts",
            "stops=source-wins",
            "--conflicts",
            "latest_wins=latest-wins:updated_at",
            "--stop-when",
            "caught-up",
        ],
    );
    assert_eq!(counted(&shop, "stops"), "1 delete_missing source, 1 delete_missing stopped");
}

#[test]
fn other_unique_values_that_are_taken_are_settled_and_a_row_of_the_sources_that_had_to_go_comes_back() {
    let shop = prepared(14, 17);
    on_all(
        &shop.target,
        "UPDATE {t} SET u = 1050, updated_at = '2023-01-01' WHERE id = 50;
         INSERT INTO {t} VALUES (900, 'theirs', 1060, '2021-01-01', 'x'), (902, 'theirs, new key', 902, '2023-01-01', 'x')",
    );
    on_all(
        &shop.source,
        "INSERT INTO {t} VALUES (150, 'ours', 1050, '2022-01-01', 'y');
         UPDATE {t} SET u = 1060, updated_at = '2022-01-01' WHERE id = 60;
         UPDATE {t} SET id = 902, updated_at = '2022-01-01' WHERE id = 70",
    );
    settled(&shop);
    let some = "id IN (50, 60, 70, 150, 900, 902)";
    let source = "50:v50:50 60:v60:1060 150:ours:1050 902:v70:70";
    assert_eq!(rows(&shop.source, "source_wins", some), source);
    assert_eq!(rows(&shop.target, "source_wins", some), source);
    let target = "50:v50:1050 60:v60:60 900:theirs:1060 902:theirs, new key:902";
    assert_eq!(rows(&shop.target, "target_wins", some), target);
    let latest = "50:v50:1050 60:v60:1060 902:theirs, new key:902";
    assert_eq!(rows(&shop.target, "latest_wins", some), latest);
    assert_eq!(rows(&shop.target, "full_latest_wins", some), latest);
    assert_eq!(counted(&shop, "source_wins"), "2 unique_taken source, 1 update_exists source");
    assert_eq!(counted(&shop, "target_wins"), "2 unique_taken target, 1 update_exists target");
    assert_eq!(counted(&shop, "latest_wins"), "1 unique_taken source, 1 unique_taken target, 1 update_exists target");
    // The whole table is the source's under source-wins; what others wrote besides is theirs.
    let all = "SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM source_wins t";
    assert_eq!(shop.source.run_sql("shop", all).unwrap(), shop.target.run_sql("shop", all).unwrap());
}

#[test]
fn rows_that_come_and_go_within_a_group_and_truncate_follow_the_policy_too() {
    let shop = prepared(18, 18);
    on_all(
        &shop.target,
        "INSERT INTO {t} VALUES (300, 'theirs, late', 300, '2999-01-01', 'x'), (301, 'theirs, early', 301, '2021-01-01', 'x')",
    );
    on_all(
        &shop.source,
        "BEGIN; INSERT INTO {t} SELECT n, 'ours', n, '2022-01-01', 'y' FROM generate_series(290, 320) n;
         DELETE FROM {t} WHERE id BETWEEN 290 AND 320; COMMIT",
    );
    settled(&shop);
    // As if each had been applied alone: the delete meets the row that won.
    assert_eq!(rows(&shop.target, "source_wins", "id >= 290"), "");
    assert_eq!(rows(&shop.target, "target_wins", "id >= 290"), "300:theirs, late:300 301:theirs, early:301");
    assert_eq!(rows(&shop.target, "latest_wins", "id >= 290"), "300:theirs, late:300");
    shop.source.run_sql("shop", "TRUNCATE source_wins; TRUNCATE latest_wins, full_latest_wins").unwrap();
    settled(&shop);
    assert_eq!(rows(&shop.target, "source_wins", "true"), "");
    assert_eq!(rows(&shop.target, "latest_wins", "true"), "300:theirs, late:300");
    assert!(counted(&shop, "latest_wins").contains("1 truncate_differs target"));
    // Nobody can say which rows of the target would win.
    shop.source.run_sql("shop", "TRUNCATE target_wins").unwrap();
    let ran = caught_up(&shop);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("truncate_differs"), "{}", ran.stderr);
    shop.done("start", &["--conflicts", "target_wins=source-wins", "--stop-when", "caught-up"]);
    assert_eq!(rows(&shop.target, "target_wins", "true"), "");
}

#[test]
fn values_are_kept_only_where_asked_for_and_shown_only_where_asked_for() {
    let shop = prepared(15, 15);
    shop.target.run_sql("shop", "INSERT INTO source_wins VALUES (500, 'theirs to keep', 500)").unwrap();
    shop.source.run_sql("shop", "INSERT INTO source_wins VALUES (500, 'ours to keep', 500)").unwrap();
    let ran = shop.run("start", &["--conflict-values", "--stop-when", "caught-up"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stderr.contains("to keep"), "{}", ran.stderr);
    let plain = shop.done("conflicts", &["--output", "json"]);
    assert!(!plain.contains("to keep"), "{plain}");
    let shown = shop.done("conflicts", &["--show-values", "--output", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let row = &shown["conflicts"][0];
    assert_eq!(row["key"], serde_json::json!(["500"]));
    assert_eq!(row["source_row"]["v"], "ours to keep");
    assert_eq!(row["target_row"]["v"], "theirs to keep");
    assert!(shop.done("conflicts", &["--show-values"]).contains("theirs to keep"));
    assert!(shop.done("conflicts", &[]).contains("insert_exists"));
}
