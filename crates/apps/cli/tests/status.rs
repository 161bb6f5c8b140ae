//! What `migrate status` and the progress lines say while tables are copied and while changes are followed.

use serde_json::Value;

use crate::busy::{runtime, session};
use crate::support::{Move, eventually};

/// The large table is copied first; the rows of the small one wait on the target for as long as a lock is held there.
const TABLES: &str = "CREATE TABLE large (id int PRIMARY KEY, v text);
    INSERT INTO large SELECT n, repeat(md5(n::text), 30) FROM generate_series(1, 20000) n;
    CREATE FUNCTION let_in() RETURNS boolean LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN true; END';
    CREATE TABLE small (id int PRIMARY KEY, v text CHECK (let_in()));
    INSERT INTO small SELECT n, 'v' FROM generate_series(1, 7) n; ANALYZE";

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

#[test]
fn status_tells_rows_bytes_rate_and_lag_in_the_copy_and_while_it_follows() {
    let shop = Move::between(13, 18);
    shop.source.run_sql("shop", TABLES).unwrap();
    let runtime = runtime();
    let target = runtime.block_on(session(&shop.target_url));
    runtime.block_on(target.batch("SELECT pg_advisory_lock(7)")).unwrap();
    let mut running = shop.spawn("start", &["--workers", "1", "--output", "json"]);
    eventually("the schema on the target", || {
        running.assert_alive();
        shop.target.run_sql("shop", "SELECT to_regclass('small') IS NOT NULL").unwrap() == "t"
    });
    eventually("the large table is copied", || {
        running.assert_alive();
        let status = shop.status();
        status["tables_done"] == 1 && number(&status["activity"]["copy_bytes"]) > 0.0
    });
    let status = shop.status();
    assert_eq!((&status["phase"], &status["running"], &status["version"]), (&"copy".into(), &true.into(), &1.into()));
    assert_eq!((&status["copied_rows"], status["tables"].as_array().unwrap().len()), (&20_000.into(), 2));
    assert!(number(&status["copied_bytes"]) > 19e6 && number(&status["expected_bytes"]) > 19e6, "{status}");
    assert!(number(&status["activity"]["copy_bytes_per_second"]) > 0.0, "{status}");
    assert!(!status["activity"]["copy_seconds_left"].is_null(), "{status}");
    assert_eq!((&status["slot"]["exists"], &status["slot"]["wal_status"]), (&true.into(), &"reserved".into()));
    let text = shop.done("status", &[]);
    for part in
        ["shop: copy (running)", "1 of 2 copied, 20000 rows", "  copy     [####", " MB/s", "public.small", "keeps "]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    runtime.block_on(target.batch("SELECT pg_advisory_unlock(7)")).unwrap();

    shop.wait_until_following(&mut running);
    eventually("nothing behind", || {
        let status = shop.status();
        status["activity"]["lag_bytes"] == 0 && status["lag_seconds"] == 0.0
    });
    runtime.block_on(target.batch("BEGIN; LOCK TABLE public.large IN ACCESS EXCLUSIVE MODE")).unwrap();
    shop.source.run_sql("shop", "UPDATE large SET v = v || '!' WHERE id <= 2000").unwrap();
    eventually("a lag in bytes and seconds", || {
        let status = shop.status();
        number(&status["lag_bytes"]) > 1e6 && number(&status["lag_seconds"]) > 1.0
    });
    let status = shop.status();
    assert_eq!((&status["phase"], &status["slot"]["active"]), (&"stream".into(), &true.into()));
    assert!(number(&status["lag_seconds"]) < 300.0 && number(&status["slot"]["retained_bytes"]) > 1e6, "{status}");
    let text = shop.done("status", &[]);
    assert!(
        text.contains("shop: stream (running)") && text.contains("behind ") && !text.contains("behind 0 B"),
        "{text}"
    );
    runtime.block_on(target.batch("ROLLBACK")).unwrap();
    eventually("nothing behind again", || {
        let status = shop.status();
        status["changes"] == 2000 && status["activity"]["lag_bytes"] == 0 && status["lag_seconds"] == 0.0
    });
    eventually("a line of figures", || running.stderr().contains(r#"{"event":"applied""#));
    shop.done("stop", &[]);
    let ran = running.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);

    let lines: Vec<Value> = ran.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    for event in ["phase", "copied", "table_copied", "built", "applied", "caught_up"] {
        assert!(events.contains(&event), "{event}: {events:?}");
    }
    let phases: Vec<&str> = lines.iter().filter_map(|line| line["phase"].as_str()).collect();
    assert_eq!(phases, ["prepare", "schema", "copy", "indexes", "stream"]);
    let copied: Vec<(&str, u64)> = lines
        .iter()
        .filter(|line| line["event"] == "table_copied")
        .map(|line| (line["table"]["name"].as_str().unwrap(), line["rows"].as_u64().unwrap()))
        .collect();
    assert_eq!(copied, [("large", 20_000), ("small", 7)]);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(result["version"], 1, "{result}");
    let text = shop.done("status", &[]);
    assert!(text.contains("shop: stream (not running)") && text.contains("not active"), "{text}");
}

#[test]
fn status_of_a_migration_that_is_not_there_says_how_to_begin() {
    let shop = Move::between(15, 15);
    let ran = shop.run("status", &["--output", "json"]);
    assert_eq!(ran.code, Some(1));
    let error: Value = serde_json::from_str(ran.stderr.trim()).unwrap();
    assert_eq!(error["error"], "the target knows no migration `shop`");
    assert_eq!(
        error["hint"],
        "a finished migration leaves nothing behind, not even its name; `atalaya migrate start` begins one"
    );
}
