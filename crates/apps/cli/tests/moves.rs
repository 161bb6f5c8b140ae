//! Whole moves between versions.

use crate::support::Move;

/// A schema with what a move must get right, small enough to read.
pub(crate) const SCHEMA: &str = r#"
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE customer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, mood mood,
    tags text[], info jsonb, balance numeric(12,2) NOT NULL DEFAULT 0, born date, seen timestamptz,
    upper_name text GENERATED ALWAYS AS (upper(name)) STORED);
CREATE TABLE "Odd ""name""" ("Id" int PRIMARY KEY, "a b" text, big text);
CREATE TABLE log (at timestamptz, line text);
ALTER TABLE log REPLICA IDENTITY FULL;
CREATE TABLE event (id bigserial, day date NOT NULL, what text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE event_2025 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE a (id int PRIMARY KEY, b int);
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX ON customer (lower(name)); CREATE UNIQUE INDEX ON customer (name);
CREATE VIEW rich AS SELECT * FROM customer WHERE balance > 10;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.seen := now(); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO customer (name, mood, tags, info, balance, born)
SELECT 'customer ' || n, 'ok', ARRAY['a', NULL, 'b' || n], jsonb_build_object('n', n), n, '2000-01-01'::date + n
  FROM generate_series(1, 5000) n;
INSERT INTO "Odd ""name""" SELECT n, E'tab\there\nand \\ back', repeat(md5(n::text), 4000) FROM generate_series(1, 20) n;
INSERT INTO log SELECT '2024-01-01'::timestamptz + n * interval '1 s', 'line ' || n % 7 FROM generate_series(1, 1000) n;
INSERT INTO log SELECT * FROM log LIMIT 10;
INSERT INTO event (day, what) SELECT '2024-01-01'::date + n % 700, 'e' || n FROM generate_series(1, 2000) n;
BEGIN; INSERT INTO a SELECT n, n FROM generate_series(1, 50) n; INSERT INTO b SELECT n, n FROM generate_series(1, 50) n; COMMIT;
"#;

/// Changes of every kind, after the copy.
pub(crate) const CHANGES: &str = r#"
UPDATE customer SET balance = balance + 1 WHERE id % 3 = 0;
DELETE FROM customer WHERE id % 17 = 0;
INSERT INTO customer (name, info) VALUES ('new', '{"a": 1}'), ('newer', NULL);
BEGIN; UPDATE customer SET name = name || '!' WHERE id = 4; UPDATE customer SET name = 'x' WHERE id = 5;
UPDATE customer SET name = 'customer 4' WHERE id = 5; COMMIT;
UPDATE "Odd ""name""" SET "a b" = 'no toast touched' WHERE "Id" < 10;
UPDATE "Odd ""name""" SET "Id" = "Id" + 100 WHERE "Id" > 15;
DELETE FROM log WHERE ctid = (SELECT min(ctid) FROM log);
UPDATE log SET line = 'changed' WHERE line = 'line 3';
INSERT INTO log VALUES (NULL, NULL), (NULL, '');
UPDATE event SET day = '2025-06-01' WHERE id = 1;
TRUNCATE event_2025;
INSERT INTO event (day, what) VALUES ('2025-02-02', 'after truncate');
BEGIN; UPDATE a SET b = NULL; DELETE FROM b WHERE id < 10; INSERT INTO b VALUES (1000, 1); ROLLBACK;
BEGIN; INSERT INTO a VALUES (100, NULL); SAVEPOINT s; INSERT INTO a VALUES (101, NULL); ROLLBACK TO s; COMMIT;
SELECT nextval('event_id_seq') FROM generate_series(1, 37);
"#;

fn move_and_compare(from: u16, to: u16) {
    let shop = Move::between(from, to);
    shop.source.run_sql("shop", SCHEMA).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.assert_equal();
    shop.source.run_sql("shop", CHANGES).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.assert_equal();
    shop.done("finish", &[]);
    shop.assert_equal();
    let next = "SELECT nextval('event_id_seq')";
    assert_eq!(shop.source.run_sql("shop", next).unwrap(), shop.target.run_sql("shop", next).unwrap());
    let leftovers = "SELECT count(*) FROM pg_replication_slots";
    assert_eq!(shop.source.run_sql("shop", leftovers).unwrap().trim(), "0");
    let schema = "SELECT count(*) FROM pg_namespace WHERE nspname = 'atalaya'";
    assert_eq!(shop.target.run_sql("shop", schema).unwrap().trim(), "0");
    let objects = "SELECT count(*) FILTER (WHERE tgname = 'touch'), count(*) FROM pg_trigger";
    assert_eq!(shop.source.run_sql("shop", objects).unwrap(), shop.target.run_sql("shop", objects).unwrap());
}

#[test]
fn from_13_to_18_every_kind_of_change_arrives() {
    move_and_compare(13, 18);
}

#[test]
fn from_18_to_18_every_kind_of_change_arrives() {
    move_and_compare(18, 18);
}

#[test]
fn from_14_to_17() {
    move_and_compare(14, 17);
}

#[test]
fn from_15_to_15() {
    move_and_compare(15, 15);
}

#[test]
fn from_16_to_18() {
    move_and_compare(16, 18);
}

#[test]
fn from_17_to_18() {
    move_and_compare(17, 18);
}

#[test]
fn columns_that_nobody_may_write_and_keys_that_swap_under_a_deferrable_constraint() {
    let shop = Move::between(13, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE coded (code text PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, v int);
             INSERT INTO coded (code, v) SELECT 'c' || i, i FROM generate_series(1, 50) i;
             CREATE TABLE swapped (id int UNIQUE DEFERRABLE INITIALLY DEFERRED, v int);
             ALTER TABLE swapped ALTER id SET NOT NULL, REPLICA IDENTITY FULL;
             INSERT INTO swapped SELECT i, i FROM generate_series(1, 10) i",
        )
        .unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.source
        .run_sql(
            "shop",
            "UPDATE coded SET code = code || '!', v = 0 WHERE v % 2 = 0; UPDATE coded SET v = 7 WHERE v = 9;
             BEGIN; UPDATE swapped SET id = 2, v = 1 WHERE v = 1; UPDATE swapped SET id = 1 WHERE v = 2; COMMIT",
        )
        .unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.assert_equal();
    // Such a column can be given a new value of its sequence; no UPDATE on the target can write that one.
    shop.source.run_sql("shop", "UPDATE coded SET n = DEFAULT WHERE code = 'c1'").unwrap();
    let ran = shop.run("start", &["--stop-when", "caught-up"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("conflict `update_missing` in table public.coded"), "{}", ran.stderr);
}

#[test]
fn rows_of_a_table_copied_whole_arrive_frozen() {
    // Up to 15 no plain VACUUM freezes rows as young as these.
    let shop = Move::between(15, 15);
    shop.source
        .run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item SELECT generate_series(1, 1000)")
        .unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    let frozen = "CREATE EXTENSION pageinspect;
        SELECT count(*), count(*) FILTER (WHERE t_infomask & 768 = 768)
          FROM generate_series(0, pg_relation_size('item') / 8192 - 1) AS page,
               heap_page_items(get_raw_page('item', page::int))";
    assert_eq!(shop.target.run_sql("shop", frozen).unwrap(), "1000|1000");
}
