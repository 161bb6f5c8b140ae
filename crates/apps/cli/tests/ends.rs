//! What `finish` and `abort` refuse, and what they leave alone.

use crate::support::{Move, Ran, eventually, ran};

const TABLE: &str = "CREATE TABLE item (id int PRIMARY KEY, what text);
    INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 1000) n";

fn slots(shop: &Move) -> String {
    shop.source.run_sql("shop", "SELECT count(*) FROM pg_replication_slots").unwrap()
}

#[test]
fn abort_with_the_target_gone_has_to_be_meant() {
    let mut shop = Move::between(15, 15);
    shop.source.run_sql("shop", TABLE).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.target.kill().unwrap();
    let ran = shop.run("abort", &[]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("--target-gone"), "{}", ran.stderr);
    assert_eq!(slots(&shop), "1");
    let output = shop.done("abort", &["--target-gone"]);
    assert!(output.contains("the target was left as it is"), "{output}");
    assert_eq!(slots(&shop), "0");
    assert_eq!(shop.source.run_sql("shop", "SELECT count(*) FROM pg_publication").unwrap(), "0");
}

#[test]
fn abort_of_one_migration_leaves_another_of_almost_the_same_name() {
    let shop = Move::between(15, 15);
    shop.source.run_sql("shop", TABLE).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    // Nothing on the target knows it, and its name gives the same slot but for a character that slots do not have.
    let other = Move::named("sho-p", "abort", &["--target-gone"]);
    let ran = crate::support::ran(&mut shop.command(&other));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("removed 0 slots"), "{}", ran.stdout);
    assert_eq!(slots(&shop), "1");
}

#[test]
fn a_name_that_is_a_path_is_refused() {
    let shop = Move::between(15, 15);
    for name in ["..", "/tmp", "a/b", "A"] {
        let ran = crate::support::ran(&mut shop.command(&Move::named(name, "abort", &[])));
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.stderr);
    }
}

#[test]
fn finish_of_a_migration_that_never_began_touches_nothing() {
    let shop = Move::between(15, 15);
    shop.source.run_sql("shop", TABLE).unwrap();
    shop.target
        .run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY, what text); INSERT INTO item VALUES (1, 'mine')")
        .unwrap();
    let ran = shop.run("finish", &["--existing-schema"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert_eq!(shop.target.run_sql("shop", "SELECT what FROM item").unwrap(), "mine");
    assert_eq!(slots(&shop), "0");
}

#[test]
fn rows_that_stand_on_the_target_are_never_emptied_away() {
    let shop = Move::between(15, 15);
    shop.source.run_sql("shop", TABLE).unwrap();
    shop.target
        .run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY, what text); INSERT INTO item VALUES (1, 'mine')")
        .unwrap();
    let ran = shop.run("start", &["--existing-schema", "--stop-when", "caught-up"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert_eq!(shop.target.run_sql("shop", "SELECT what FROM item").unwrap(), "mine");
}

#[test]
fn a_partition_made_during_the_move_is_told_and_cannot_be_left_behind() {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE event (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
             CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
             INSERT INTO event VALUES (1, '2024-06-01')",
        )
        .unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
             INSERT INTO event VALUES (2, '2025-06-01')",
        )
        .unwrap();
    let told = shop.run("start", &["--stop-when", "caught-up"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stderr.contains("public.event_2 came after the move began"), "{}", told.stderr);
    let refused = shop.run("finish", &[]);
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(refused.stderr.contains("public.event_2"), "{}", refused.stderr);
    assert_eq!(slots(&shop), "1");
}

#[test]
fn a_table_made_during_the_move_may_be_left_behind_by_name() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", TABLE).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.source.run_sql("shop", "CREATE TABLE scratch (id int PRIMARY KEY)").unwrap();
    assert_eq!(shop.run("finish", &[]).code, Some(4));
    shop.done("finish", &["--exclude", "public.scratch"]);
    assert_eq!(slots(&shop), "0");
}

#[test]
fn rows_written_after_the_proof_are_never_left_behind() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", TABLE).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    // Between the proof and the end.
    let mut finish = shop.spawn_with("finish", &[], &[("ATALAYA_FAILPOINT", "schema-completed:1:stop")]);
    finish.wait_for_halt();
    shop.source.run_sql("shop", "INSERT INTO item VALUES (5000, 'late')").unwrap();
    finish.go_on();
    let ran = finish.wait();
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 changes were written to the source after"), "{}", ran.stderr);
    assert_eq!(slots(&shop), "1");
    shop.done("finish", &[]);
    assert_eq!(shop.target.run_sql("shop", "SELECT count(*) FROM item").unwrap(), "1001");
}

#[test]
fn a_dry_run_of_abort_names_everything_and_removes_nothing() {
    let shop = Move::between(15, 15);
    shop.source.run_sql("shop", TABLE).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    let slot = shop.status()["slot"]["name"].as_str().unwrap().to_owned();
    let output = shop.done("abort", &["--dry-run", "--drop-target"]);
    assert!(output.contains("would remove 1 slots and 1 publications"), "{output}");
    assert!(output.contains(&slot) && output.contains("public.item"), "{output}");
    assert_eq!(slots(&shop), "1");
    shop.source.run_sql("shop", "DELETE FROM item WHERE id > 900").unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.assert_equal();
}

#[test]
fn a_table_left_behind_leaves_its_sequence_behind() {
    let shop = Move::between(15, 18);
    shop.source
        .run_sql(
            "shop",
            &format!(
                "{TABLE}; CREATE TABLE audit (id serial PRIMARY KEY, seq_of_its_own int GENERATED ALWAYS AS IDENTITY)"
            ),
        )
        .unwrap();
    let without = ["--exclude", "public.audit", "--stop-when", "caught-up"];
    shop.done("start", &without);
    let left = "SELECT count(*) FROM pg_class WHERE relname LIKE 'audit%'";
    assert_eq!(shop.target.run_sql("shop", left).unwrap(), "0");
    shop.done("abort", &["--drop-target"]);
    shop.done("start", &without);
    shop.done("finish", &["--exclude", "public.audit"]);
}

/// Halts a command that holds the lock of the move, ends the session that holds it, and lets the command go on.
fn that_loses_its_lock(shop: &Move, words: &[&str], place: &str) -> Ran {
    let mut halted = shop.spawn_words(words, &[("ATALAYA_FAILPOINT", &format!("{place}:1:stop"))]);
    halted.wait_for_halt();
    let ours = "FROM pg_stat_activity WHERE application_name = 'atalaya operation shop'";
    let ended = shop.target.run_sql("shop", &format!("SELECT count(pg_terminate_backend(pid)) {ours}")).unwrap();
    assert_eq!(ended, "1", "{place}");
    eventually("its session is gone", || {
        shop.target.run_sql("shop", &format!("SELECT count(*) {ours}")).unwrap() == "0"
    });
    halted.go_on();
    halted.wait()
}

#[test]
fn who_has_lost_the_lock_of_a_move_changes_nothing_of_it() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", TABLE).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    let way_back = |deed: &'static str| {
        let ends = ["--source", "env:SOURCE_URL", "--target", "env:TARGET_URL", "--name", "shop", "--output", "json"];
        [["migrate", "way-back", deed].as_slice(), &ends].concat()
    };
    let refused = |words: &[&str], place: &str| {
        let ran = that_loses_its_lock(&shop, words, place);
        assert_eq!(ran.code, Some(4), "{words:?}: {}\n{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("that keeps the move `shop` from others was lost"), "{words:?}: {}", ran.stderr);
        assert_eq!(slots(&shop), "1", "{words:?}");
    };
    let state = || {
        let status = ran(&mut shop.command(&way_back("status")));
        serde_json::from_str::<serde_json::Value>(&status.stdout).unwrap()["state"].clone()
    };
    refused(&way_back("make"), "way-back-checked");
    assert_eq!(state(), "missing");
    let made = ran(&mut shop.command(&way_back("make")));
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    refused(&way_back("remove"), "way-back-checked");
    assert_eq!(state(), "made");
    for (verb, place, phase) in [
        ("abort", "abort-checked", "stream"),
        ("finish", "triggers-set-back", "stream"),
        ("finish", "finish-stored", "finished"),
    ] {
        refused(&Move::migrate(verb, &[]), place);
        assert_eq!(shop.status()["phase"], phase, "{verb} at {place}");
        assert_eq!(state(), "made", "{verb} at {place}");
    }
    shop.done("finish", &[]);
    assert_eq!(slots(&shop), "0");
    shop.assert_equal();
}
