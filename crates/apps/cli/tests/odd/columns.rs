//! Tables with as many columns as there can be, with none, with dropped ones, and with defaults that never repeat.

use crate::support::Move;

fn wide() -> String {
    let columns: String = (1..1600).map(|number| format!(", c{number} boolean")).collect();
    let bare: Vec<String> = (1..=1600).map(|number| format!("c{number} boolean")).collect();
    let dropped: String = (1..800).map(|number| format!(" DROP c{number},")).collect();
    format!(
        "CREATE TABLE wide (id int PRIMARY KEY{columns});
         INSERT INTO wide (id, c1, c1599) SELECT n, true, n % 2 = 0 FROM generate_series(1, 30) n;
         CREATE TABLE wide_bare ({}); ALTER TABLE wide_bare REPLICA IDENTITY FULL;
         INSERT INTO wide_bare (c1, c1600) SELECT n % 2 = 0, n % 3 = 0 FROM generate_series(1, 12) n;
         CREATE TABLE holes (LIKE wide INCLUDING ALL); ALTER TABLE holes{dropped} DROP c1599;
         INSERT INTO holes (id, c900) SELECT n, true FROM generate_series(1, 30) n;",
        bare.join(", ")
    )
}

const OTHERS: &str = r#"
CREATE TABLE cased ("Id" int PRIMARY KEY, id int, "ID" text, "iD" text);
INSERT INTO cased SELECT n, -n, 'upper ' || n, NULL FROM generate_series(1, 10) n;
CREATE TABLE restless (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz DEFAULT clock_timestamp(),
    key uuid DEFAULT gen_random_uuid(), share float8 NOT NULL DEFAULT random(), twice int GENERATED ALWAYS AS (side * 2) STORED,
    side int);
INSERT INTO restless (side) SELECT generate_series(1, 20);
CREATE TABLE empty_rows (a text, b text); ALTER TABLE empty_rows REPLICA IDENTITY FULL;
INSERT INTO empty_rows VALUES (NULL, NULL), (NULL, NULL), ('', NULL);"#;

const CHANGES: &str = r#"
UPDATE wide SET c2 = true, c1598 = false WHERE id % 3 = 0; UPDATE wide SET id = id + 100 WHERE id > 25;
INSERT INTO wide (id, c800) VALUES (1000, false); DELETE FROM wide WHERE id = 1;
BEGIN; UPDATE wide SET c3 = NOT c1 WHERE id = 2; UPDATE wide SET c3 = NULL WHERE id = 2; COMMIT;
UPDATE wide_bare SET c5 = true WHERE c1; DELETE FROM wide_bare WHERE ctid = (SELECT min(ctid) FROM wide_bare WHERE NOT c1);
UPDATE holes SET c801 = true; ALTER TABLE holes ALTER c802 SET DEFAULT true; INSERT INTO holes (id) VALUES (500);
UPDATE cased SET id = 7, "ID" = id::text WHERE "Id" < 4; UPDATE cased SET "Id" = "Id" + 50 WHERE "Id" > 8;
INSERT INTO restless (side) VALUES (100), (101); UPDATE restless SET side = 0 WHERE id = 3; UPDATE restless SET key = DEFAULT;
DELETE FROM empty_rows WHERE ctid = (SELECT min(ctid) FROM empty_rows); INSERT INTO empty_rows DEFAULT VALUES;"#;

const DAMAGE: &str = r#"
UPDATE wide SET c1599 = NULL WHERE id = 4; DELETE FROM wide WHERE id = 6; DELETE FROM wide_bare WHERE ctid = (SELECT min(ctid) FROM wide_bare);
UPDATE holes SET c900 = NULL WHERE id = 9; UPDATE cased SET "iD" = 'x' WHERE "Id" = 5; UPDATE restless SET share = 0 WHERE id = 7;
INSERT INTO empty_rows DEFAULT VALUES"#;

fn moves(from: u16, to: u16) {
    let shop = Move::between(from, to);
    shop.source.run_sql("shop", &(wide() + OTHERS)).unwrap();
    let running = shop.follow(&[]);
    shop.assert_equal();
    shop.source.run_sql("shop", CHANGES).unwrap();
    let clean = shop.validate(&[]);
    assert_eq!(clean.code, Some(0), "{}\n{}", clean.stdout, clean.stderr);
    shop.assert_equal();
    shop.target.run_sql("shop", DAMAGE).unwrap();
    assert_eq!(shop.validate(&[]).code, Some(3));
    let repaired = shop.validate(&["--repair"]);
    assert_eq!(repaired.code, Some(0), "{}\n{}", repaired.stdout, repaired.stderr);
    shop.assert_equal();
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.done("finish", &[]);
}

#[test]
fn as_many_columns_as_there_can_be_dropped_ones_and_restless_defaults_from_13() {
    moves(13, 18);
}

#[test]
fn as_many_columns_as_there_can_be_dropped_ones_and_restless_defaults_from_18() {
    moves(18, 18);
}

#[test]
fn a_table_without_a_column_of_its_own_is_refused_before_anything_is_made_and_may_stay_behind() {
    let shop = Move::between(13, 18);
    shop.source
        .run_sql(
            "shop",
            "CREATE TABLE none (); ALTER TABLE none REPLICA IDENTITY FULL; INSERT INTO none DEFAULT VALUES;
             CREATE TABLE made (one int GENERATED ALWAYS AS (1) STORED); ALTER TABLE made REPLICA IDENTITY FULL;
             CREATE TABLE kept (id int PRIMARY KEY); INSERT INTO kept VALUES (1)",
        )
        .unwrap();
    let ran = shop.run("start", &["--stop-when", "caught-up"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("columnless-tables: public.made"), "{}", ran.stderr);
    assert!(ran.stderr.contains("public.none"), "{}", ran.stderr);
    let ours = "SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_publication)";
    assert_eq!(shop.source.run_sql("shop", ours).unwrap(), "0");
    let schema = "SELECT count(*) FROM pg_namespace WHERE nspname = 'atalaya'";
    assert_eq!(shop.target.run_sql("shop", schema).unwrap(), "0");
    shop.done("start", &["--stop-when", "caught-up", "--exclude", "none", "--exclude", "made"]);
    assert_eq!(shop.target.run_sql("shop", "SELECT * FROM kept").unwrap(), "1");
}
