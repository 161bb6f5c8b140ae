//! Continuous proof: after one comparison of every row, only what the move has written since is proven again.

use serde_json::Value;

use crate::support::{Move, Ran};

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
