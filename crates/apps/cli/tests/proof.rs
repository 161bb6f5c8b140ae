//! The proof is exact: no difference where there is none, whatever is written meanwhile, and each planted one where
//! there are some.

use std::time::Instant;

use serde_json::Value;

use crate::busy::{Busy, Load};
use crate::support::{Move, Ran, eventually};

const RUNS: usize = 20;
/// Runs that may not count.
const SPARE: usize = 40;
const FAST: Load = Load { clients: 8, rate: Some(1_200), shop: false };

const TABLES: &str = "
    CREATE TABLE cells (id int PRIMARY KEY, a text, b numeric, c float8, d timestamptz);
    INSERT INTO cells SELECT i, 'a' || i, i / 7.0, i * 1e-3, '2024-01-01'::timestamptz + i * interval '1 s'
      FROM generate_series(1, 5000) i;
    CREATE TABLE events (at int, what text); ALTER TABLE events REPLICA IDENTITY FULL;
    INSERT INTO events SELECT i % 100, 'w' || i % 100 FROM generate_series(1, 2000) i;
    CREATE TABLE untouched (id bigint PRIMARY KEY, v text);
    INSERT INTO untouched SELECT i, md5(i::text) FROM generate_series(1, 3000) i; ANALYZE";

/// One cell, one missing, one extra, two rows with swapped values, one duplicate without a key; and one row missing
/// from a table that is written to all the time.
const PLANTED: &str = "
    SET session_replication_role = replica;
    UPDATE cells SET a = 'planted-cell' WHERE id = 17;
    DELETE FROM cells WHERE id = 18;
    INSERT INTO cells (id, a) VALUES (9001, 'planted-row');
    UPDATE cells SET a = CASE id WHEN 30 THEN 'a31' ELSE 'a30' END WHERE id IN (30, 31);
    INSERT INTO events VALUES (7, 'w7');
    DELETE FROM ledger.transfer WHERE id = (SELECT min(id) FROM ledger.transfer)";

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", ran.stdout, ran.stderr))
}

/// Every finding in short: table, kind, key, names of the differing columns.
fn findings(report: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for table in report["tables"].as_array().unwrap() {
        for finding in table["findings"].as_array().unwrap() {
            let texts = |list: &str, field: &str| -> Vec<String> {
                let list = finding[list].as_array().unwrap();
                list.iter().map(|one| one[field].as_str().unwrap().to_owned()).collect()
            };
            found.push(format!(
                "{}.{} {} {} [{}]",
                table["source"]["schema"].as_str().unwrap(),
                table["source"]["name"].as_str().unwrap(),
                finding["kind"].as_str().unwrap(),
                texts("key", "value").join("/"),
                texts("columns", "column").join(",")
            ));
        }
    }
    found.sort();
    found
}

fn totals(report: &Value) -> (u64, u64, u64) {
    let total = |name: &str| report["totals"][name].as_u64().unwrap();
    (total("missing"), total("extra"), total("different"))
}

#[test]
fn while_a_ledger_is_written_there_is_no_false_difference_and_every_planted_one() {
    // However slow the machine is, both are slow on it.
    nothing_false_and_every_planted_one(|meanwhile| meanwhile.commits >= 200);
}

#[test]
#[ignore = "soak: the machine has to keep the rate"]
fn under_a_thousand_transactions_a_second_there_is_no_false_difference_and_every_planted_one() {
    nothing_false_and_every_planted_one(|meanwhile| meanwhile.commits as f64 >= 1_000.0 * meanwhile.seconds);
}

/// What the ledger did while a proof was made.
#[derive(Debug)]
struct Meanwhile {
    commits: u64,
    seconds: f64,
}

/// A run counts when the ledger did enough meanwhile; none at all may find anything.
fn nothing_false_and_every_planted_one(is_enough: fn(&Meanwhile) -> bool) {
    let shop = Move::between(13, 18);
    shop.source.run_sql("shop", TABLES).unwrap();
    Busy::prepare(&shop.source_url, None);
    let first_busy = Busy::start(&shop.source_url, FAST);
    first_busy.commit_more(100);
    let mut running = shop.follow(&[]);
    let first = shop.source.run_sql("shop", "SELECT min(id) FROM ledger.transfer").unwrap();
    drop(first_busy);

    let (mut counted, mut others) = (0, Vec::new());
    while counted < RUNS {
        let busy = Busy::start(&shop.source_url, FAST);
        busy.commit_more(200);
        let (since, before) = (Instant::now(), busy.counts().committed);
        let ran = shop.validate(&["--output", "json"]);
        let commits = busy.counts().committed - before;
        let meanwhile = Meanwhile { commits, seconds: since.elapsed().as_secs_f64() };
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
        let report = json(&ran);
        assert_eq!((report["moment"].as_str(), totals(&report)), (Some("fence"), (0, 0, 0)));
        assert_eq!(report["totals"]["equal"], 7, "{report}");
        assert!(report["totals"]["source_rows"].as_u64().unwrap() > 10_000, "{report}");
        busy.stop();
        if is_enough(&meanwhile) {
            counted += 1;
        } else {
            others.push(meanwhile);
        }
        assert!(others.len() < SPARE, "the ledger does too little here: {others:?}");
        eventually("nothing behind", || {
            running.assert_alive();
            shop.status()["activity"]["lag_bytes"] == 0
        });
    }

    let busy = Busy::start(&shop.source_url, Load { clients: 2, rate: Some(100), shop: false });
    busy.commit_more(20);
    shop.target.run_sql("shop", PLANTED).unwrap();
    let planted = [
        "public.cells different 17 [a]".to_owned(),
        "public.cells different 30 [a]".to_owned(),
        "public.cells different 31 [a]".to_owned(),
        "public.cells extra 9001 []".to_owned(),
        "public.cells missing 18 []".to_owned(),
        "public.events extra  []".to_owned(),
        format!("ledger.transfer missing {first} []"),
    ];
    let mut planted: Vec<String> = planted.into();
    planted.sort();
    let masked = shop.validate(&["--output", "json"]);
    assert_eq!(masked.code, Some(3), "{}\n{}", masked.stdout, masked.stderr);
    assert_eq!(findings(&json(&masked)), planted);
    assert_eq!(totals(&json(&masked)), (2, 2, 3));
    let text = shop.validate(&[]);
    assert_eq!(text.code, Some(3), "{}\n{}", text.stdout, text.stderr);
    assert!(text.stdout.contains("different  id = 17: a\n"), "{}", text.stdout);
    for output in [&masked.stdout, &masked.stderr, &text.stdout, &text.stderr] {
        assert!(!output.contains("planted-"), "{output}");
    }
    let shown = shop.validate(&["--show-values"]);
    assert!(shown.stdout.contains("id = 17: a (source a17, target planted-cell)"), "{}", shown.stdout);

    let before = busy.counts().committed;
    let repaired = shop.validate(&["--repair", "--output", "json"]);
    assert_eq!(repaired.code, Some(0), "{}\n{}", repaired.stdout, repaired.stderr);
    assert_eq!(findings(&json(&repaired)["before"]), planted);
    let clean = shop.validate(&["--output", "json"]);
    assert_eq!(clean.code, Some(0), "{}\n{}", clean.stdout, clean.stderr);
    assert_eq!((json(&clean)["totals"]["equal"].as_u64(), totals(&json(&clean))), (Some(7), (0, 0, 0)));
    assert!(busy.counts().committed > before);
}

#[test]
fn counts_and_samples_say_that_they_are_no_proof() {
    let shop = Move::between(13, 18);
    shop.source.run_sql("shop", TABLES).unwrap();
    let _running = shop.follow(&[]);
    for method in ["counts", "sample=500"] {
        let ran = shop.validate(&["--method", method]);
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("no difference found; only --method full is a proof"), "{}", ran.stdout);
    }
    shop.target.run_sql("shop", "UPDATE cells SET a = ''; DELETE FROM events WHERE at = 3").unwrap();
    let counts = json(&shop.validate(&["--method", "counts", "--output", "json"]));
    assert_eq!(totals(&counts), (20, 0, 0), "{counts}");
    let sample = shop.validate(&["--method", "sample=500", "--output", "json"]);
    let different = json(&sample)["totals"]["different"].as_u64().unwrap();
    assert!((200..1_000).contains(&different) && sample.code == Some(3), "{different}");
    let wrong = shop.validate(&["--method", "sample=0"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
}

#[test]
fn two_databases_without_a_migration_are_compared_as_they_are() {
    let shop = Move::between(13, 18);
    for server in [&shop.source, &shop.target] {
        server.run_sql("shop", TABLES).unwrap();
    }
    for (flags, moment) in [(&["--quiesced"][..], "quiesced"), (&["--looks", "2", "--pause", "1"][..], "looks")] {
        let arguments = [flags, &["--output", "json"]].concat();
        let ran = shop.validate(&arguments);
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
        assert_eq!((json(&ran)["moment"].as_str(), &json(&ran)["totals"]["equal"]), (Some(moment), &Value::from(3)));
    }
    shop.target.run_sql("shop", "UPDATE cells SET a = 'planted-cell' WHERE id = 17").unwrap();
    for flags in [&["--quiesced"][..], &["--looks", "2", "--pause", "1"][..]] {
        let ran = shop.validate(&[flags, &["--output", "json"]].concat());
        assert_eq!(ran.code, Some(3), "{}\n{}", ran.stdout, ran.stderr);
        assert_eq!(findings(&json(&ran)), ["public.cells different 17 [a]"]);
    }
    let repair = shop.validate(&["--repair"]);
    assert_eq!(repair.code, Some(4), "{}\n{}", repair.stdout, repair.stderr);
}

#[test]
fn a_migration_that_does_not_run_is_only_compared_when_nothing_is_left_to_apply() {
    let shop = Move::between(13, 18);
    shop.source.run_sql("shop", TABLES).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    let refused = shop.validate(&[]);
    assert_eq!(refused.code, Some(4), "{}\n{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("does not run"), "{}", refused.stderr);
    let quiesced = shop.validate(&["--quiesced", "--output", "json"]);
    assert_eq!(quiesced.code, Some(0), "{}\n{}", quiesced.stdout, quiesced.stderr);
    assert_eq!(json(&quiesced)["totals"]["equal"], 3);
}
