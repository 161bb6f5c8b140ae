//! The way back that cannot go on: clients have written on the new server what the old one cannot take. Nobody is led back
//! then, since that would lose it; and what is carried over is carried over.

use atalaya_sandbox::{Server, ServerOptions};
use serde_json::Value;

use super::field::{done, lead_over, wait_until_both_run};
use crate::cutover::Front;
use crate::support::{Move, eventually};

const TABLES: &str = "CREATE TYPE ledger.mood AS ENUM ('sad', 'glad');
    CREATE TABLE ledger.held (id int PRIMARY KEY, span interval, size numeric, mood ledger.mood);
    INSERT INTO ledger.held VALUES (1, '1 day', 1.5, 'sad'); GRANT ALL ON ledger.held TO clerk;
    CREATE TABLE ledger.log (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE ledger.log_1 PARTITION OF ledger.log FOR VALUES FROM (0) TO (100)";
const NEW: &str = "shop-green";
/// Both that tell people how the way back is.
const STATUS: [&[&str]; 2] = [&["migrate", "way-back", "status"], &["migrate", "status"]];

/// Clients are on the new server.
fn led_over(from: u16, to: u16) -> Front {
    let front = Front::before(Move::between(from, to), &[], TABLES);
    front.led(&["migrate", "cutover", "shop-to-18"]);
    assert!(front.version("shop").starts_with(&format!("{to}.")));
    front
}

fn way_back(front: &Front) -> Value {
    let asked = front.ask(&["migrate", "way-back", "status", "shop-to-18", "--output", "json"]);
    assert_eq!(asked.code, Some(0), "{}\n{}", asked.stdout, asked.stderr);
    serde_json::from_str(&asked.stdout).unwrap()
}

fn said(front: &Front, words: &[&str]) -> String {
    let asked = front.ask(&[words, &["shop-to-18"]].concat());
    assert_eq!(asked.code, Some(0), "{}\n{}", asked.stdout, asked.stderr);
    asked.stdout
}

/// Everybody is told that it is possible, and since when.
fn assert_is_possible(front: &Front) {
    let status = way_back(front);
    assert_eq!((&status["possible"], &status["impossible_since"]), (&true.into(), &Value::Null), "{status:#}");
    let since = status["since"].as_str().unwrap();
    let ordered = format!("SELECT timestamptz '{since}' BETWEEN pg_postmaster_start_time() AND now()");
    assert_eq!(front.shop.target.run_sql("shop", &ordered).unwrap(), "t");
    for words in STATUS {
        let text = said(front, words);
        assert!(text.contains(&format!("the way back is possible since {since}")), "{text}");
    }
}

/// Writes it on the new server; the reason that is told names the table and what of it, and no value.
fn assert_ends_the_way_back(front: &Front, written: &str, names: &[&str], value: &str) {
    assert_is_possible(front);
    let before = front.shop.target.run_sql("shop", "SELECT now()").unwrap();
    front.shop.target.run_sql("shop", written).unwrap();
    assert_has_ended(front, &before, names, value);
}

/// It has stopped behind `before`.
fn assert_has_ended(front: &Front, before: &str, names: &[&str], value: &str) {
    eventually("it has stopped", || way_back(front)["possible"] == false);
    let status = way_back(front);
    assert_eq!((&status["running"], &status["serving"]), (&false.into(), &"target".into()), "{status:#}");
    let why = status["why_not"][0].as_str().unwrap();
    assert!(names.iter().all(|named| why.contains(named)), "{names:?}: {why}");
    let since = status["impossible_since"].as_str().unwrap();
    let ordered = format!("SELECT timestamptz '{since}' >= timestamptz '{before}' AND timestamptz '{since}' <= now()");
    assert_eq!(front.shop.target.run_sql("shop", &ordered).unwrap(), "t");
    for words in STATUS {
        let text = said(front, words);
        assert!(text.contains(&format!("the way back is NOT possible since {since}")), "{text}");
        assert!(text.contains(why) && !text.contains(value), "{text}");
    }
    assert_nobody_is_led_back(front, why, value);
}

/// Refused before anybody is held, with the reason; clients go on, and so does the move.
fn assert_nobody_is_led_back(front: &Front, why: &str, value: &str) {
    let client = front.client("shop");
    for more in [[].as_slice(), &["--rehearse"], &["--allow-unproven"]] {
        let refused = front.lead("rollback", more);
        front.assert_broken_off(&refused, 4, &["replication", why], NEW);
        assert!(!refused.stderr.contains(value), "{}", refused.stderr);
    }
    front.batch(&client, "UPDATE ledger.held SET size = size + 1 WHERE id = 1");
    assert_eq!(front.asked(&client, "SELECT size::text FROM ledger.held WHERE id = 1"), "2.5");
    assert!(!front.is_let_in("clerk", &front.shop.source) && front.is_let_in("clerk", &front.shop.target));

    // The other direction goes on: what is written to the old server by whom nothing keeps out still comes over.
    front.shop.source.run_sql("shop", "INSERT INTO ledger.held (id) VALUES (2)").unwrap();
    let comes = "SELECT count(*) FROM ledger.held WHERE id = 2";
    eventually("it comes over", || front.shop.target.run_sql("shop", comes).unwrap() == "1");
}

/// What is left to do: the move ends with clients where they are.
fn assert_can_be_finished(front: &Front) {
    let finished = front.ask(&["migrate", "finish", "shop-to-18"]);
    assert_eq!(finished.code, Some(0), "{}\n{}", finished.stdout, finished.stderr);
    assert!(finished.stderr.contains("there is no certificate of this move"), "{}", finished.stderr);
    let left = "SELECT count(*) FROM pg_replication_slots";
    for server in [&front.shop.source, &front.shop.target] {
        assert_eq!(server.run_sql("shop", left).unwrap(), "0");
    }
    let client = front.client("shop");
    assert_eq!(front.asked(&client, "SELECT count(*)::text FROM ledger.held"), "3");
    assert!(!front.is_let_in("clerk", &front.shop.source));
}

#[test]
fn an_infinite_interval_ends_the_way_back_to_13_and_the_move_can_be_finished() {
    let front = led_over(13, 18);
    let written = "INSERT INTO ledger.held (id, span) VALUES (3, 'infinity')";
    let names = ["ledger.held", "a date or time is not valid", "22007"];
    assert_ends_the_way_back(&front, written, &names, "infinity");
    assert_can_be_finished(&front);
}

#[test]
fn an_infinite_number_ends_the_way_back_to_13() {
    let front = led_over(13, 14);
    let written = "INSERT INTO ledger.held (id, size) VALUES (3, 'Infinity')";
    assert_ends_the_way_back(&front, written, &["ledger.held", "no valid text of its type"], "Infinity");
}

#[test]
fn a_column_of_a_type_that_13_lacks_ends_the_way_back() {
    let front = led_over(13, 16);
    let written =
        "ALTER TABLE ledger.held ADD spans int4multirange; UPDATE ledger.held SET spans = '{[47110815,47110816)}'";
    assert_ends_the_way_back(&front, written, &["ledger.held", "int4multirange"], "47110815");
}

#[test]
fn a_label_of_an_enum_that_is_renamed_ends_the_way_back() {
    let front = led_over(17, 18);
    let written =
        "ALTER TYPE ledger.mood RENAME VALUE 'sad' TO 'blue'; INSERT INTO ledger.held VALUES (3, NULL, 1, 'blue')";
    assert_ends_the_way_back(&front, written, &["ledger.mood", "lost or renamed a label"], "blue");
}

/// Somebody whom no fence keeps out has deleted the row on the old server, and a client has changed it on the new one, before
/// either side heard of the other.
#[test]
fn a_row_that_is_written_on_both_servers_ends_the_way_back_and_names_its_table() {
    let mut front = led_over(13, 18);
    let client = front.client("shop");
    front.batch(&client, "INSERT INTO ledger.held (id) VALUES (3), (4)");
    let count = |server: &Server| server.run_sql("shop", "SELECT count(*) FROM ledger.held").unwrap();
    eventually("they come back", || count(&front.shop.source) == "3");
    assert_is_possible(&front);
    let before = front.shop.target.run_sql("shop", "SELECT now()").unwrap();
    front.kill_runs();
    front.shop.source.run_sql("shop", "DELETE FROM ledger.held WHERE id = 4").unwrap();
    front.batch(&client, "UPDATE ledger.held SET size = 47110815 WHERE id = 4");
    front.run_again();
    assert_has_ended(&front, &before, &["conflict `update_missing` in table ledger.held"], "47110815");
    eventually("one is deleted there, too, and two have come", || count(&front.shop.target) == "3");
    let told = front.said_by_runs();
    assert!(told.contains("way back: it has stopped") && told.contains("ledger.held"), "{told}");
    assert!(!told.contains("47110815"), "{told}");
    assert_can_be_finished(&front);
}

/// It runs on, and does not bring all.
#[test]
fn a_partition_that_comes_on_the_new_server_keeps_clients_there_until_it_is_gone() {
    let front = led_over(15, 17);
    let come = "CREATE TABLE ledger.log_2 PARTITION OF ledger.log FOR VALUES FROM (100) TO (99999999);
                INSERT INTO ledger.log VALUES (47110815)";
    front.shop.target.run_sql("shop", come).unwrap();
    let status = way_back(&front);
    assert_eq!((&status["possible"], &status["running"]), (&false.into(), &true.into()), "{status:#}");
    let why = status["why_not"][0].as_str().unwrap();
    assert!(why.contains("not part of it: ledger.log_2"), "{why}");
    assert_nobody_is_led_back(&front, why, "47110815");
    front.shop.target.run_sql("shop", "DROP TABLE ledger.log_2").unwrap();
    front.led(&["migrate", "rollback", "shop-to-18"]);
    assert!(front.version("shop").starts_with("15."));
    front.assert_equal();
}

/// Nothing of it is in a stream, and rows of it would be left behind.
#[test]
fn a_table_that_comes_on_the_new_server_keeps_clients_there_until_the_old_one_has_it_too() {
    let front = led_over(14, 18);
    let come = "CREATE TABLE ledger.fresh (id int PRIMARY KEY); INSERT INTO ledger.fresh VALUES (47110815)";
    front.shop.target.run_sql("shop", &format!("{come}; CREATE UNLOGGED TABLE ledger.scratch (id int)")).unwrap();
    let status = way_back(&front);
    assert_eq!((&status["possible"], &status["running"]), (&false.into(), &true.into()), "{status:#}");
    let why = status["why_not"][0].as_str().unwrap();
    assert!(why.contains("ledger.fresh") && !why.contains("scratch"), "{why}");
    assert_nobody_is_led_back(&front, why, "47110815");
    front.shop.source.run_sql("shop", &format!("{come}; GRANT ALL ON ledger.fresh TO clerk")).unwrap();
    front.led(&["migrate", "rollback", "shop-to-18"]);
    assert!(front.version("shop").starts_with("14."));
}

/// New labels and columns of types that both know are made on the old server, too.
#[test]
fn a_new_label_and_a_new_column_are_carried_back_and_clients_after_them() {
    let front = led_over(13, 18);
    let written =
        "ALTER TYPE ledger.mood ADD VALUE 'calm' BEFORE 'glad'; ALTER TABLE ledger.held ADD note text DEFAULT 'n';
                   INSERT INTO ledger.held VALUES (3, '2 days', 2, 'calm', 'new')";
    front.shop.target.run_sql("shop", written).unwrap();
    let rows = "SELECT string_agg(h::text, ' ' ORDER BY id) FROM ledger.held h";
    let there = front.shop.target.run_sql("shop", rows).unwrap();
    eventually("they come back", || {
        let status = way_back(&front);
        assert_eq!(status["possible"], true, "{status:#}");
        front.shop.source.run_sql("shop", rows).unwrap() == there
    });
    let labels = "SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder) FROM pg_enum";
    assert_eq!(front.shop.source.run_sql("shop", labels).unwrap(), "sad calm glad");
    front.led(&["migrate", "rollback", "shop-to-18"]);
    let client = front.client("shop");
    front.batch(&client, "INSERT INTO ledger.held VALUES (4, NULL, NULL, 'calm', 'old')");
    front.assert_equal();
}

/// Clients are there: that server's disk comes before the way back, though nobody reads its slot any more.
#[test]
fn the_new_servers_log_is_kept_within_the_limit_once_the_way_back_has_stopped() {
    let small = ServerOptions::new(18).setting("max_wal_size", "32MB").setting("min_wal_size", "32MB");
    let shop = Move::with(ServerOptions::new(13), small);
    shop.source.run_sql("shop", "CREATE TABLE t (id serial PRIMARY KEY, span interval, pad text)").unwrap();
    let mut running = shop.follow(&["--wal-limit", "40MB"]);
    done(&shop, "make");
    wait_until_both_run(&shop, &mut running);
    lead_over(&shop);
    shop.target.run_sql("shop", "INSERT INTO t (span) VALUES ('infinity')").unwrap();
    eventually("it has stopped", || done(&shop, "status")["possible"] == false);
    assert_eq!(done(&shop, "status")["slot"]["exists"], true);

    let write = "INSERT INTO t (pad) SELECT repeat(md5(i::text), 40) FROM generate_series(1, 700) i";
    eventually("its slot is given up", || {
        running.assert_alive();
        shop.target.run_sql("shop", write).unwrap();
        done(&shop, "status")["slot"]["exists"] == false
    });
    eventually("it is told", || running.stderr().contains("more than the limit of 40.0 MB: it was given up"));
    let status = done(&shop, "status");
    assert!(status["why_not"][0].as_str().unwrap().contains("--wal-limit"), "{status:#}");
    shop.source.run_sql("shop", "INSERT INTO t (id) VALUES (-1)").unwrap();
    let comes = "SELECT count(*) FROM t WHERE id = -1";
    eventually("the move goes on", || shop.target.run_sql("shop", comes).unwrap() == "1");
    running.assert_alive();
}
