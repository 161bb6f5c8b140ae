//! What a move has brought is no difference, whatever the versions.

use super::{lines, report};
use crate::busy::{Busy, runtime, session};
use crate::schema::{ROLES, SCHEMA};
use crate::support::Move;

const CHINOOK: &str = include_str!("../../../../lab/load/data/chinook_postgres.sql");

/// What versions spell in different ways, and names that need quoting everywhere.
const MORE: &str = r#"
CREATE SCHEMA "Odd ""one""; <b>";
CREATE TYPE "Odd ""one""; <b>"."Mood's" AS ENUM ('so ''so''', 'Gut', 'a\b');
CREATE TABLE "Odd ""one""; <b>"."T'a.b" ("I d" serial PRIMARY KEY, "Mo'od" "Odd ""one""; <b>"."Mood's" DEFAULT 'Gut' CHECK ("Mo'od" <> 'a\b'),
    at timestamptz DEFAULT now(), year int, CHECK (year IN (1, 2, 3) OR year BETWEEN 10 AND 20 OR extract(year FROM at) > 2000));
COMMENT ON COLUMN "Odd ""one""; <b>"."T'a.b"."Mo'od" IS 'it''s \ "quoted"';
CREATE VIEW "Odd ""one""; <b>"."V'iew" AS SELECT t."I d", t."Mo'od" FROM "Odd ""one""; <b>"."T'a.b" t WHERE extract(year FROM at) > 2000
    AND year IN (SELECT year FROM "Odd ""one""; <b>"."T'a.b" GROUP BY year HAVING count(*) > 0) ORDER BY 1;
CREATE VIEW app.one AS SELECT * FROM app.person; CREATE VIEW app.joined AS SELECT p.id, b.room FROM app.person p LEFT JOIN app.booking b ON b.person = p.id;
CREATE VIEW app.listed AS WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n, (n = ANY (ARRAY[1, 2])) FROM t;
CREATE PROCEDURE app.act(a int, INOUT b text DEFAULT 'x') LANGUAGE plpgsql SECURITY DEFINER SET work_mem = '8MB' AS $$ BEGIN b := a::text; END $$;
CREATE FUNCTION app.rows(OUT a int, OUT b text) RETURNS SETOF record LANGUAGE sql STABLE ROWS 7 AS $$ SELECT 1, 'x' $$;
CREATE RULE moved AS ON UPDATE TO app.parent WHERE new.v = 'x' DO ALSO UPDATE app.loose SET person = 1 WHERE loose.id = old.id;
CREATE INDEX tree_expression ON app.tree ((id + 1)) WITH (fillfactor = 80);
ALTER TABLE app.tree_rest SET (autovacuum_enabled = false, toast.autovacuum_enabled = false);
CREATE OPERATOR app.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = pg_catalog.int4eq);
"#;

fn a_clean_move_has_no_difference(from: u16, to: u16) {
    let shop = Move::between(from, to);
    for server in [&shop.source, &shop.target] {
        server.run_sql("shop", ROLES).unwrap();
    }
    shop.source.run_sql("shop", SCHEMA).unwrap();
    shop.source.run_sql("shop", MORE).unwrap();
    Busy::prepare(&shop.source_url, Some(2 << 20));
    let runtime = runtime();
    let source = runtime.block_on(session(&shop.source_url));
    runtime.block_on(atalaya_load::chinook::load(&source, CHINOOK)).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    let (ran, running) = report(&shop, &[]);
    assert_eq!(lines(&running["differences"]), [""; 0], "{}", ran.stderr);
    assert_eq!(ran.code, Some(0));
    let pending = lines(&running["pending"]);
    for expected in [
        "view | shop.customer_revenue | different | query",
        "trigger | t_always on app.person | missing",
        "policy | own on app.booking | missing",
        "rule | keep on app.loose | missing",
        "table | app.booking | different | row security",
        "materialized view | app.filled | different | filled",
    ] {
        assert!(pending.iter().any(|line| line.starts_with(expected)), "{expected}: {pending:#?}");
    }
    shop.done("finish", &[]);
    let (ran, finished) = report(&shop, &[]);
    assert_eq!(lines(&finished["differences"]), [""; 0], "{}", ran.stderr);
    assert_eq!(lines(&finished["pending"]), [""; 0]);
    assert_eq!(ran.code, Some(0));
}

#[test]
fn from_13_to_18_nothing_is_told_that_does_not_differ() {
    a_clean_move_has_no_difference(13, 18);
}

#[test]
fn from_18_to_18_nothing_is_told_that_does_not_differ() {
    a_clean_move_has_no_difference(18, 18);
}

#[test]
fn from_15_to_17_nothing_is_told_that_does_not_differ() {
    a_clean_move_has_no_difference(15, 17);
}
