//! Sequences stand where the source's stand: within seconds while a run follows, and exactly when it has caught up, when
//! it stops, when the move is finished.

use atalaya_sandbox::Server;

use crate::support::{Move, eventually};

const SEQUENCES: &str = r#"
CREATE SCHEMA one; CREATE SCHEMA other;
CREATE SEQUENCE one.same; CREATE SEQUENCE other.same START 500;
CREATE SEQUENCE down INCREMENT -5 START -10 MAXVALUE 0 MINVALUE -1000000;
CREATE SEQUENCE round AS smallint MINVALUE 1 MAXVALUE 7 CYCLE;
CREATE SEQUENCE never_called START 42; CREATE SEQUENCE set_back; CREATE SEQUENCE set_uncalled;
CREATE SEQUENCE shared START 1000; CREATE SEQUENCE cached CACHE 50; CREATE SEQUENCE "Odd ""name""";
CREATE SEQUENCE largest MAXVALUE 9223372036854775807;
CREATE TABLE first (id bigint PRIMARY KEY DEFAULT nextval('shared'), v text);
CREATE TABLE second (id bigint PRIMARY KEY DEFAULT nextval('shared'), n serial, i int GENERATED ALWAYS AS IDENTITY (INCREMENT 100));
INSERT INTO first (v) SELECT 'a' FROM generate_series(1, 20); INSERT INTO second DEFAULT VALUES;
SELECT nextval('one.same'), nextval('one.same'), nextval('other.same'), nextval('down'), nextval('down'), nextval('cached'), nextval('"Odd ""name"""');
SELECT nextval('round') FROM generate_series(1, 9); SELECT setval('set_back', 900); SELECT setval('set_back', 3);
SELECT setval('set_uncalled', 77, false); SELECT setval('largest', 9223372036854775806);
"#;

const MORE: &str = r#"
INSERT INTO first (v) VALUES ('b'); INSERT INTO second DEFAULT VALUES;
SELECT nextval('one.same'), nextval('other.same'), nextval('down'), nextval('"Odd ""name"""'), nextval('never_called');
SELECT nextval('round') FROM generate_series(1, 6); SELECT setval('set_back', 1, false);
"#;

/// `schema.name last_value is_called` of each.
fn states(server: &Server) -> Vec<String> {
    let names =
        "SELECT format('%I.%I', schemaname, sequencename) FROM pg_sequences WHERE schemaname <> 'atalaya' ORDER BY 1";
    let names = server.run_sql("shop", names).unwrap();
    names
        .lines()
        .map(|name| {
            format!("{name} {}", server.run_sql("shop", &format!("SELECT last_value, is_called FROM {name}")).unwrap())
        })
        .collect()
}

/// What each gives out next; moves them.
fn next(server: &Server) -> Vec<String> {
    let names =
        "SELECT format('%I.%I', schemaname, sequencename) FROM pg_sequences WHERE schemaname <> 'atalaya' ORDER BY 1";
    let names = server.run_sql("shop", names).unwrap();
    names
        .lines()
        .map(|name| {
            format!(
                "{name} {}",
                server.run_sql("shop", &format!("SELECT nextval('{}')", name.replace('\'', "''"))).unwrap()
            )
        })
        .collect()
}

fn assert_same(shop: &Move) {
    let source = states(&shop.source);
    assert_eq!(source.len(), 13, "{source:?}");
    assert_eq!(source, states(&shop.target));
}

fn every_sequence_follows(from: u16, to: u16) {
    let shop = Move::between(from, to);
    shop.source.run_sql("shop", SEQUENCES).unwrap();
    assert_eq!(shop.source.run_sql("shop", "SELECT last_value FROM round").unwrap(), "2");
    shop.done("start", &["--stop-when", "caught-up"]);
    assert_same(&shop);

    let mut running = shop.follow(&[]);
    shop.source.run_sql("shop", MORE).unwrap();
    // While the source gives out numbers the target may lag; only on demand is that a difference.
    let lenient = shop.validate(&["--output", "json"]);
    assert_eq!(lenient.code, Some(0), "{}\n{}", lenient.stdout, lenient.stderr);
    eventually("every sequence stands where the source's does", || {
        running.assert_alive();
        states(&shop.source) == states(&shop.target)
    });
    assert!(shop.status()["activity"]["sequences_age_seconds"].as_f64().is_some());
    // Set back and called no more; restarted with a table whose truncation is applied meanwhile; made new.
    shop.source
        .run_sql(
            "shop",
            "SELECT setval('set_back', 5, false); TRUNCATE second RESTART IDENTITY; INSERT INTO second DEFAULT VALUES;
             CREATE SEQUENCE other.new START 7",
        )
        .unwrap();
    eventually("a new sequence is told", || running.stderr().contains("sequence other.new is not on the target"));
    shop.target.run_sql("shop", "CREATE SEQUENCE other.new START 7").unwrap();
    shop.source.run_sql("shop", "SELECT nextval('other.new')").unwrap();
    eventually("both sides have every sequence", || {
        running.assert_alive();
        states(&shop.source) == states(&shop.target)
    });
    shop.source.run_sql("shop", "DROP SEQUENCE other.new").unwrap();
    shop.target.run_sql("shop", "DROP SEQUENCE other.new").unwrap();
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    assert_same(&shop);

    shop.source.run_sql("shop", MORE).unwrap();
    let behind = shop.validate(&["--quiesced", "--output", "json"]);
    assert_eq!(behind.code, Some(3), "{}\n{}", behind.stdout, behind.stderr);
    let report: serde_json::Value = serde_json::from_str(&behind.stdout).unwrap();
    let behind: Vec<&str> =
        report["sequences"].as_array().unwrap().iter().map(|one| one["name"]["name"].as_str().unwrap()).collect();
    assert!(behind.contains(&"down") && behind.contains(&"set_back") && !behind.contains(&"cached"), "{behind:?}");
    shop.done("finish", &[]);
    assert_same(&shop);
    shop.assert_equal();
    assert_eq!(next(&shop.source), next(&shop.target));
    let insert = "INSERT INTO second DEFAULT VALUES RETURNING *";
    assert_eq!(shop.source.run_sql("shop", insert).unwrap(), shop.target.run_sql("shop", insert).unwrap());
}

#[test]
fn from_13_to_18_every_sequence_stands_where_the_sources_stands() {
    every_sequence_follows(13, 18);
}

#[test]
fn from_18_to_18_every_sequence_stands_where_the_sources_stands() {
    every_sequence_follows(18, 18);
}
