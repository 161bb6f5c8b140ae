//! Continuous proof: after one comparison of every row, only what the move has written since is proven again.

use serde_json::Value;

use crate::busy::{Busy, Load};
use crate::held::Held;
use crate::support::{Move, Ran, eventually, ran};

const TABLES: &str = "
    CREATE TABLE cells (id int PRIMARY KEY, a text, n numeric);
    INSERT INTO cells SELECT i, 'a' || i, i / 7.0 FROM generate_series(1, 5000) i;
    CREATE TABLE pairs (x int, \"Y y\" text, v text, PRIMARY KEY (x, \"Y y\"));
    INSERT INTO pairs SELECT i % 50, 'y' || i, 'v' FROM generate_series(1, 1000) i;
    CREATE TABLE plain (at int, what text); ALTER TABLE plain REPLICA IDENTITY FULL;
    INSERT INTO plain SELECT i % 100, 'w' FROM generate_series(1, 2000) i;
    CREATE TABLE quiet (id bigint PRIMARY KEY, v text);
    INSERT INTO quiet SELECT i, md5(i::text) FROM generate_series(1, 3000) i; ANALYZE";

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", ran.stdout, ran.stderr))
}

/// Runs `validate` with these words; the report, once the exit code is as expected.
fn proof(shop: &Move, words: &[&str], code: i32) -> Value {
    let ran = shop.validate(&[words, &["--output", "json"]].concat());
    assert_eq!(ran.code, Some(code), "{words:?}\n{}\n{}", ran.stdout, ran.stderr);
    json(&ran)
}

/// Each table with what its result rests on: `cells keys 3`, `quiet untouched 0`.
fn shown(report: &Value) -> Vec<String> {
    let tables = report["tables"].as_array().unwrap().iter();
    tables
        .map(|table| {
            let how = table["shown_by"].as_str().unwrap();
            format!("{} {how} {}", table["source"]["name"].as_str().unwrap(), table["touched_keys"])
        })
        .collect()
}

/// Every finding in short: table, kind, key.
fn findings(report: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for table in report["tables"].as_array().unwrap() {
        for finding in table["findings"].as_array().unwrap() {
            let key: Vec<&str> =
                finding["key"].as_array().unwrap().iter().map(|column| column["value"].as_str().unwrap()).collect();
            let kind = finding["kind"].as_str().unwrap();
            found.push(format!("{} {kind} {}", table["source"]["name"].as_str().unwrap(), key.join("/")));
        }
    }
    found.sort();
    found
}

#[test]
fn what_was_written_since_is_proven_again_and_nothing_else() {
    let shop = Move::between(13, 18);
    shop.source.run_sql("shop", TABLES).unwrap();
    let mut running = shop.follow(&[]);
    // Never proven: every row, whatever is asked for.
    let first = proof(&shop, &["--touched"], 0);
    assert_eq!(shown(&first), ["cells rows 0", "pairs rows 0", "plain rows 0", "quiet rows 0"]);
    assert_eq!(first["recorded"], true);
    let idle = proof(&shop, &["--touched"], 0);
    assert_eq!(shown(&idle), ["cells untouched 0", "pairs untouched 0", "plain untouched 0", "quiet untouched 0"]);

    // One key twice, one that changes, one that goes, and a composite one; a table without a key.
    shop.source
        .run_sql(
            "shop",
            "UPDATE cells SET a = 'b' WHERE id = 7; UPDATE cells SET a = 'c' WHERE id IN (7, 8);
             UPDATE cells SET id = 6000 WHERE id = 9; DELETE FROM cells WHERE id = 10;
             UPDATE pairs SET v = 'w' WHERE x = 3 AND \"Y y\" = 'y3'; INSERT INTO plain VALUES (7, 'new')",
        )
        .unwrap();
    let report = proof(&shop, &["--touched"], 0);
    assert_eq!(shown(&report), ["cells keys 5", "pairs keys 1", "plain rows 0", "quiet untouched 0"]);
    assert_eq!(report["totals"]["source_rows"], 3 + 1 + 2001, "{report}");
    assert_eq!(shown(&proof(&shop, &["--touched"], 0)), shown(&idle));

    // What is wrong with written rows is found each time, until it is right; what nobody wrote is not looked at.
    shop.source
        .run_sql(
            "shop",
            "UPDATE cells SET a = 'd' WHERE id BETWEEN 20 AND 29; DELETE FROM cells WHERE id = 30;
             INSERT INTO pairs VALUES (90, 'new', 'v')",
        )
        .unwrap();
    assert_eq!(shown(&proof(&shop, &["--method", "counts"], 0))[0], "cells rows 0");
    shop.target
        .run_sql(
            "shop",
            "UPDATE cells SET n = 0 WHERE id = 21; DELETE FROM cells WHERE id = 22;
             INSERT INTO cells (id) VALUES (30); DELETE FROM pairs WHERE x = 90;
             UPDATE quiet SET v = 'planted' WHERE id = 5",
        )
        .unwrap();
    let planted = ["cells different 21", "cells extra 30", "cells missing 22", "pairs missing 90/new"];
    for _ in 0..2 {
        let found = proof(&shop, &["--touched"], 3);
        assert_eq!(findings(&found), planted);
        assert_eq!(shown(&found), ["cells keys 11", "pairs keys 1", "plain untouched 0", "quiet untouched 0"]);
    }
    let repaired = proof(&shop, &["--touched", "--repair"], 0);
    assert_eq!((&repaired["rows"], findings(&repaired["after"])), (&4.into(), Vec::<String>::new()));
    assert_eq!(shown(&proof(&shop, &["--touched"], 0)), shown(&idle));

    // A comparison of every row sees what nobody wrote, and from then on the table is not proven.
    assert_eq!(findings(&proof(&shop, &[], 3)), ["quiet different 5"]);
    let again = proof(&shop, &["--touched"], 3);
    assert_eq!((findings(&again), shown(&again)[3].as_str()), (vec!["quiet different 5".to_owned()], "quiet rows 0"));
    running.assert_alive();
}

/// Keys of every kind that a note could get wrong, an identity that is not the primary key, and tables that are noted
/// as a whole.
const ODD: &str = r#"
    CREATE EXTENSION citext;
    CREATE TABLE num (k numeric PRIMARY KEY, v text); INSERT INTO num VALUES (1.0, 'a'), (2.50, 'b'), (3, 'c');
    CREATE TABLE folded (k citext PRIMARY KEY, v text); INSERT INTO folded VALUES ('Abc', 'a'), ('x', 'b');
    CREATE TABLE coded (id int PRIMARY KEY, code text NOT NULL, v text);
    CREATE UNIQUE INDEX coded_code ON coded (code); ALTER TABLE coded REPLICA IDENTITY USING INDEX coded_code;
    INSERT INTO coded SELECT i, 'c' || i, 'v' FROM generate_series(1, 20) i;
    CREATE TABLE whole_row (id int PRIMARY KEY, v text); ALTER TABLE whole_row REPLICA IDENTITY FULL;
    INSERT INTO whole_row SELECT i, 'v' FROM generate_series(1, 20) i;
    CREATE TABLE nullable (a int UNIQUE, v text); ALTER TABLE nullable REPLICA IDENTITY FULL;
    INSERT INTO nullable VALUES (NULL, 'n'), (NULL, 'n'), (1, 'o');
    CREATE TABLE tree (id int, day date, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
    CREATE TABLE tree_1 PARTITION OF tree FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
    CREATE TABLE tree_2 PARTITION OF tree FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    INSERT INTO tree SELECT i, '2024-06-01', 'v' FROM generate_series(1, 10) i;
    CREATE TABLE emptied (id int PRIMARY KEY, v text); INSERT INTO emptied SELECT i, 'v' FROM generate_series(1, 10) i;
    CREATE TABLE "Odd ""name" ("a,b" text COLLATE "C", f float8, d timestamptz, PRIMARY KEY ("a,b", f, d));
    INSERT INTO "Odd ""name" VALUES (E'{"x",\\}\n', 0.1, '2024-01-01 12:00:00.000001+02'), ('', -0.0, 'infinity');
    CREATE TABLE swapped (id int PRIMARY KEY DEFERRABLE, v text, u int NOT NULL UNIQUE); ALTER TABLE swapped REPLICA IDENTITY FULL;
    INSERT INTO swapped VALUES (1, 'a', 1), (2, 'b', 2); ANALYZE"#;

const ODD_CHANGES: &str = r#"
    UPDATE num SET k = 1.00 WHERE k = 1; UPDATE num SET v = 'x' WHERE k = 2.5;
    UPDATE folded SET k = 'aBC' WHERE k = 'abc';
    UPDATE coded SET v = 'w' WHERE id = 3; UPDATE coded SET code = 'other' WHERE id = 4; DELETE FROM coded WHERE id = 5;
    UPDATE coded SET id = 100 WHERE id = 6;
    UPDATE whole_row SET v = 'w' WHERE id = 3; UPDATE whole_row SET id = 50 WHERE id = 4;
    UPDATE nullable SET v = 'm' WHERE ctid = (SELECT min(ctid) FROM nullable WHERE a IS NULL);
    UPDATE tree SET day = '2025-02-02' WHERE id = 3; UPDATE tree SET v = 'w' WHERE id = 4;
    TRUNCATE emptied; INSERT INTO emptied VALUES (3, 'new');
    UPDATE "Odd ""name" SET f = f + 1; BEGIN; UPDATE swapped SET id = 3 - id; COMMIT"#;

const ODD_PLANTED: &str = r#"
    SET session_replication_role = replica;
    UPDATE num SET k = 1.0 WHERE k = 1; UPDATE folded SET k = 'abc' WHERE k = 'abc';
    UPDATE coded SET v = 'x' WHERE id = 100; DELETE FROM coded WHERE code = 'other'; INSERT INTO coded VALUES (5, 'c5', 'v');
    UPDATE whole_row SET v = '' WHERE id = 50; INSERT INTO nullable VALUES (NULL, 'm');
    UPDATE tree SET v = NULL WHERE id = 3; INSERT INTO emptied VALUES (7, 'v');
    DELETE FROM "Odd ""name" WHERE f > 1; UPDATE swapped SET v = 'z' WHERE id = 1"#;

fn odd_keys(major: u16) {
    let shop = Move::between(major, 18);
    shop.source.run_sql("shop", ODD).unwrap();
    let mut running = shop.follow(&[]);
    proof(&shop, &[], 0);
    shop.source.run_sql("shop", ODD_CHANGES).unwrap();
    let clean = proof(&shop, &["--touched"], 0);
    assert_eq!(
        shown(&clean),
        [
            "Odd \"name keys 4",
            "coded keys 5",
            "emptied rows 0",
            "folded keys 2",
            "nullable rows 0",
            "num keys 3",
            "swapped keys 2",
            "tree_1 keys 2",
            "tree_2 keys 1",
            "whole_row keys 3",
        ]
    );
    // The same again, and this time it is wrong on the target.
    shop.source
        .run_sql(
            "shop",
            r#"UPDATE num SET v = v; UPDATE folded SET v = v; UPDATE coded SET v = v || '.'; INSERT INTO coded VALUES (5, 'c5');
               DELETE FROM coded WHERE id = 5; UPDATE whole_row SET v = v; UPDATE nullable SET v = v; UPDATE tree SET v = v;
               TRUNCATE emptied; UPDATE "Odd ""name" SET f = f + 1; UPDATE swapped SET v = v || '.'"#,
        )
        .unwrap();
    eventually("nothing behind", || {
        running.assert_alive();
        shop.status()["activity"]["lag_bytes"] == 0
    });
    shop.target.run_sql("shop", ODD_PLANTED).unwrap();
    let found = proof(&shop, &["--touched"], 3);
    let all = proof(&shop, &[], 3);
    assert_eq!(findings(&found), findings(&all));
    let kinds = |kind: &str| findings(&found).iter().filter(|one| one.contains(kind)).count();
    // A key that is written in another way is a missing and an extra row.
    assert!(kinds(" different ") >= 4 && kinds(" missing ") >= 3 && kinds(" extra ") >= 5, "{:?}", findings(&found));
}

#[test]
fn keys_of_every_kind_are_noted_from_13() {
    odd_keys(13);
}

#[test]
fn keys_of_every_kind_are_noted_from_18() {
    odd_keys(18);
}

#[test]
fn no_kill_forgets_a_key_that_was_written() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", TABLES).unwrap();
    let running = shop.follow(&[]);
    proof(&shop, &[], 0);
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    let mut written = Vec::new();
    let places =
        ["touched-noted:1", "apply-committed:1", "apply-position-written:1", "apply-committed:1", "acknowledged:1"];
    for (number, place) in places.iter().enumerate() {
        let id = 100 + number;
        let sql = format!("UPDATE cells SET a = 'k' WHERE id = {id}; UPDATE cells SET a = 'l' WHERE id = {id}");
        shop.source.run_sql("shop", &sql).unwrap();
        written.push(format!("cells different {id}"));
        let words = Move::migrate("start", &["--stop-when", "caught-up"]);
        let killed = ran(shop.command(&words).env("ATALAYA_FAILPOINT", place));
        assert_eq!(killed.signal, Some(9), "{place}: {:?} {}", killed.code, killed.stderr);
    }
    let mut running = shop.follow(&[]);
    shop.target.run_sql("shop", "UPDATE cells SET n = -1 WHERE id BETWEEN 50 AND 150").unwrap();
    assert_eq!(findings(&proof(&shop, &["--touched"], 3)), written);
    shop.target.run_sql("shop", "UPDATE cells SET n = id / 7.0 WHERE id BETWEEN 50 AND 150").unwrap();

    // A proof that dies before its verdict is written leaves every key where it is.
    let lock = Held::open(&shop.target_url, "BEGIN; SELECT FROM atalaya.touched FOR UPDATE");
    let dying = shop.spawn_words(&Move::proof(&["--touched"]), &[]);
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'atalaya validate' AND wait_event_type = 'Lock'";
    eventually("a verdict that waits", || shop.target.run_sql("shop", waits).unwrap() == "1");
    let ours =
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'atalaya validate' AND wait_event_type = 'Lock'";
    let backend = shop.target.run_sql("shop", ours).unwrap();
    let noted = "SELECT sum(keys_count) FROM atalaya.touched";
    let before = shop.target.run_sql("shop", noted).unwrap();
    drop(dying);
    shop.target.run_sql("shop", &format!("SELECT pg_terminate_backend({backend})")).unwrap();
    drop(lock);
    assert_eq!(shop.target.run_sql("shop", noted).unwrap(), before);
    eventually("the proof's lock is gone", || {
        running.assert_alive();
        shop.target
            .run_sql("shop", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1886547814")
            .unwrap()
            == "0"
    });
    assert_eq!(shown(&proof(&shop, &["--touched"], 0))[0], format!("cells keys {}", written.len()));

    // More keys than are worth to be noted: the table as a whole, which no later key makes smaller.
    shop.source.run_sql("shop", "INSERT INTO cells SELECT i FROM generate_series(10001, 315000) i").unwrap();
    shop.source.run_sql("shop", "UPDATE cells SET a = 'once more' WHERE id = 1").unwrap();
    let whole = proof(&shop, &["--touched"], 0);
    assert_eq!((shown(&whole)[0].as_str(), &whole["tables"][0]["source_rows"]), ("cells rows 0", &310_000.into()));
    shop.source.run_sql("shop", "UPDATE cells SET a = 'and again' WHERE id = 1").unwrap();
    assert_eq!(shown(&proof(&shop, &["--touched"], 0))[0], "cells keys 1");
}

#[test]
fn finish_proves_every_row_and_only_what_was_written_since_where_it_is_told_to() {
    let shop = Move::between(15, 18);
    shop.source.run_sql("shop", TABLES).unwrap();
    let running = shop.follow(&[]);
    proof(&shop, &[], 0);
    let text = shop.done("status", &[]);
    assert!(text.contains("  proof    equal at ") && text.contains("; written since: 0 keys;"), "{text}");
    shop.source.run_sql("shop", "UPDATE cells SET a = 'x' WHERE id <= 3").unwrap();
    eventually("the keys are noted", || shop.status()["proof"]["touched_keys"] == 3);
    let status = shop.status();
    assert_eq!((&status["proof"]["tables"], &status["proof"]["full_tables"]), (&4.into(), &4.into()));
    assert!(status["proof"]["proven_seconds"].as_f64().unwrap() >= 0.0, "{status}");

    shop.target.run_sql("shop", "UPDATE quiet SET v = 'planted' WHERE id = 5").unwrap();
    let full = shop.run("finish", &["--output", "json"]);
    assert_eq!(full.code, Some(3), "{}\n{}", full.stdout, full.stderr);
    assert_eq!(findings(&json(&full)), ["quiet different 5"]);
    assert_eq!(running.wait().code, Some(0));
    shop.target
        .run_sql("shop", "UPDATE quiet SET v = md5('5') WHERE id = 5; UPDATE cells SET n = 0 WHERE id = 2")
        .unwrap();
    let touched = shop.run("finish", &["--touched-proof", "--output", "json"]);
    assert_eq!(touched.code, Some(3), "{}\n{}", touched.stdout, touched.stderr);
    assert_eq!(findings(&json(&touched)), ["cells different 2"]);
    shop.target.run_sql("shop", "UPDATE cells SET n = 2 / 7.0 WHERE id = 2").unwrap();
    let done = shop.run("finish", &["--touched-proof", "--output", "json"]);
    assert_eq!(done.code, Some(0), "{}\n{}", done.stdout, done.stderr);
    let report = &json(&done)["proof"];
    assert_eq!(shown(report), ["cells keys 3", "pairs untouched 0", "plain untouched 0", "quiet untouched 0"]);
    shop.assert_equal();
}

#[test]
fn a_continuous_proof_while_a_ledger_is_written_says_nothing_false_and_finds_what_is_planted() {
    continuously_proven_under(200);
}

#[test]
#[ignore = "soak: the machine has to keep the rate"]
fn a_continuous_proof_under_a_thousand_transactions_a_second_says_nothing_false_and_finds_what_is_planted() {
    continuously_proven_under(1_200);
}

/// While the ledger begins so many transactions a second.
fn continuously_proven_under(rate: u32) {
    let shop = Move::between(13, 18);
    shop.source.run_sql("shop", TABLES).unwrap();
    Busy::prepare(&shop.source_url, None);
    let mut running = shop.follow(&[]);
    let mut watch = shop.spawn_words(&Move::proof(&["--continuous", "--every", "1", "--output", "json"]), &[]);
    let busy = Busy::start(&shop.source_url, Load { clients: 8, rate: Some(rate), shop: false });
    let passes = |watch: &crate::support::Running| -> Vec<Value> {
        watch.stdout().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let by_keys = |report: &Value| report["totals"]["touched_keys"].as_u64().unwrap();
    for number in 1..=4 {
        eventually("a pass over keys", || {
            running.assert_alive();
            watch.assert_alive();
            passes(&watch).iter().filter(|report| by_keys(report) > 0).count() >= number
        });
    }
    busy.stop();
    for report in passes(&watch) {
        let totals = &report["totals"];
        let wrong = [&totals["missing"], &totals["extra"], &totals["different"]];
        assert_eq!((wrong, &totals["equal"]), ([&0.into(), &0.into(), &0.into()], &totals["tables"]), "{report}");
    }
    let second = shop.validate(&["--touched"]);
    assert!(second.code == Some(0) || second.stderr.contains("another proof"), "{}\n{}", second.stdout, second.stderr);

    // Something on the target changes what is written to it; a trigger of the table itself would end the run.
    let trigger = "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                       UPDATE public.cells SET n = -1 WHERE id = 17 AND a = 'x'; RETURN NEW; END $$;
                   CREATE TRIGGER spoil AFTER UPDATE ON atalaya.progress FOR EACH ROW EXECUTE FUNCTION spoil();
                   ALTER TABLE atalaya.progress ENABLE ALWAYS TRIGGER spoil";
    shop.target.run_sql("shop", trigger).unwrap();
    shop.source.run_sql("shop", "UPDATE cells SET a = 'x' WHERE id = 17").unwrap();
    let mut seen = 0;
    eventually("what it changed is found", || {
        let found = passes(&watch);
        seen = found.len();
        found.last().is_some_and(|report| findings(report) == ["cells different 17"])
    });
    assert!(shop.status()["proof"]["unproven_tables"] == 1, "{}", shop.status());
    let mended =
        "DROP TRIGGER spoil ON atalaya.progress; DROP FUNCTION spoil; UPDATE cells SET n = 17 / 7.0 WHERE id = 17";
    shop.target.run_sql("shop", mended).unwrap();
    eventually("a clean pass again", || {
        let found = passes(&watch);
        found.len() > seen + 1 && found.last().is_some_and(|report| findings(report).is_empty())
    });
    shop.done("finish", &[]);
    let ended = watch.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("is over"), "{}", ended.stderr);
}
