//! What the source sends before it is committed arrives when it is committed, whole, in its place; what is rolled
//! back never does.

use super::{between, count, open, streamed};
use crate::support::{Move, Running, eventually};

/// A table of each kind; `late` is first touched within a part that is rolled back.
const SCHEMA: &str = "
CREATE TABLE item (id bigint PRIMARY KEY, v text NOT NULL, large text);
ALTER TABLE item ALTER large SET STORAGE EXTERNAL;
INSERT INTO item SELECT i, 'first', repeat(md5(i::text), 100) FROM generate_series(1, 300) i;
CREATE TABLE plain (what text, n int); ALTER TABLE plain REPLICA IDENTITY FULL;
INSERT INTO plain SELECT 'equal', i % 3 FROM generate_series(1, 60) i;
CREATE TABLE emptied (id int PRIMARY KEY, v text);
CREATE TABLE beside (id int PRIMARY KEY);
CREATE TABLE late (id int PRIMARY KEY, v text);
CREATE TABLE altered (id int PRIMARY KEY, v text); INSERT INTO altered VALUES (0, 'first');
CREATE TABLE done (id int PRIMARY KEY);
";

/// Parts that are rolled back within parts that stay, and the other way round.
const SAVEPOINTS: &str = "
BEGIN;
INSERT INTO item SELECT i, 'stays', NULL FROM generate_series(20001, 21500) i;
SAVEPOINT one;
  INSERT INTO late SELECT i, 'rolled back' FROM generate_series(1, 1500) i;
  INSERT INTO item SELECT i, 'rolled back', NULL FROM generate_series(21501, 23000) i;
  SAVEPOINT two;
    UPDATE item SET v = 'rolled back' WHERE id > 20000;
    DELETE FROM plain WHERE n = 0;
  RELEASE two;
  DELETE FROM item WHERE id > 20500;
ROLLBACK TO one;
SAVEPOINT altered;
  ALTER TABLE altered ADD COLUMN extra int DEFAULT 1;
  INSERT INTO altered SELECT i, 'of another form', 2 FROM generate_series(1, 1500) i;
ROLLBACK TO altered;
INSERT INTO altered SELECT i, 'stays' FROM generate_series(1, 1500) i;
INSERT INTO late SELECT i, 'stays' FROM generate_series(1, 1500) i;
SAVEPOINT three;
  UPDATE item SET id = id + 100000 WHERE id BETWEEN 20001 AND 20700;
  SAVEPOINT four;
    UPDATE item SET v = 'changed' WHERE id <= 300;
    UPDATE plain SET what = 'changed' WHERE n = 1;
    SAVEPOINT five;
      TRUNCATE late;
    ROLLBACK TO five;
    INSERT INTO plain SELECT 'equal', i % 3 FROM generate_series(1, 1500) i;
  RELEASE four;
RELEASE three;
DO $$ BEGIN FOR i IN 1..400 LOOP
  BEGIN
    INSERT INTO item VALUES (30000 + i, 'of a block', NULL);
    IF i % 3 = 0 THEN RAISE division_by_zero; END IF;
  EXCEPTION WHEN division_by_zero THEN NULL; END;
END LOOP; END $$;
COMMIT;
";

/// A column that comes within a large transaction.
const ALTERED: &str = "
BEGIN; INSERT INTO altered SELECT i, 'before' FROM generate_series(2000, 3500) i;
ALTER TABLE altered ADD COLUMN more int DEFAULT 7;
INSERT INTO altered SELECT i, 'after', i FROM generate_series(4000, 5500) i; UPDATE altered SET more = 1 WHERE id < 9;
COMMIT; INSERT INTO altered VALUES (6000, 'small', 2);
";

/// Tables emptied between changes of the same transaction, and many small transactions.
const EMPTIED: &str = "
INSERT INTO emptied SELECT i, 'before' FROM generate_series(1, 1500) i;
TRUNCATE emptied, beside;
INSERT INTO emptied SELECT i, 'after' FROM generate_series(1, 1500) i;
";
const SMALL_ONES: &str = "DO $$ BEGIN FOR i IN 1..2000 LOOP INSERT INTO beside VALUES (i); COMMIT; END LOOP; END $$";

fn batch(from: u32, word: &str) -> String {
    format!("INSERT INTO item SELECT i, '{word}', NULL FROM generate_series({from}, {from} + 1499) i")
}

/// Waits until everything before a row that is written now has arrived.
fn settle(shop: &Move, running: &mut Running, number: u64) {
    shop.source.run_sql("shop", &format!("INSERT INTO done VALUES ({number})")).unwrap();
    eventually("everything before arrives", || {
        running.assert_alive();
        count(shop, "done") == number
    });
}

/// What is in progress is in the status, where the source sends it.
fn assert_told(shop: &Move) {
    let early = shop.source.version() >= 14;
    let (transactions, text) = if early { (2, "2 large transactions") } else { (0, "applied") };
    eventually("status tells", || {
        let activity = &shop.status()["activity"];
        activity["open_transactions"] == transactions && (activity["open_bytes"].as_u64() > Some(100_000)) == early
    });
    assert!(shop.done("status", &[]).contains(text));
}

fn every_kind(from: u16, to: u16) -> Move {
    let shop = between(from, to);
    shop.source.run_sql("shop", SCHEMA).unwrap();
    let mut running = shop.follow(&[]);
    let (one, other) = (open(&shop), open(&shop));
    for part in 0..3 {
        one.run(&batch(1000 + part * 1500, "rolled back")).unwrap();
        other.run(&batch(10_000 + part * 1500, "committed")).unwrap();
    }
    other.run(EMPTIED).unwrap();
    settle(&shop, &mut running, 1);
    assert_told(&shop);
    assert_eq!(count(&shop, "item"), 300, "what is in progress is on the target");
    one.run("ROLLBACK").unwrap();
    shop.source.run_sql("shop", SAVEPOINTS).unwrap();
    settle(&shop, &mut running, 2);
    shop.source.run_sql("shop", ALTERED).unwrap();
    other.run("COMMIT").unwrap();
    shop.source.run_sql("shop", SMALL_ONES).unwrap();
    settle(&shop, &mut running, 3);
    shop.assert_equal();
    assert_eq!(shop.validate(&[]).code, Some(0));
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop
}

#[test]
fn from_14_two_at_a_time_savepoints_and_truncates_arrive_as_they_were_committed() {
    assert!(streamed(&every_kind(14, 17)) >= 3);
}

#[test]
fn from_15_two_at_a_time_savepoints_and_truncates_arrive_as_they_were_committed() {
    assert!(streamed(&every_kind(15, 18)) >= 3);
}

#[test]
fn from_18_two_at_a_time_savepoints_and_truncates_arrive_as_they_were_committed() {
    assert!(streamed(&every_kind(18, 18)) >= 3);
}

#[test]
fn from_13_which_keeps_them_itself_the_same_arrives() {
    every_kind(13, 18);
}
