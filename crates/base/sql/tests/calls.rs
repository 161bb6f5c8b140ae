//! What is a call and what only looks like one, and what nobody knows.

use crate::{STANDARD, compare};

#[test]
fn a_function_that_is_not_built_in_everywhere_is_unknown() {
    compare(
        STANDARD,
        &[
            ("SELECT f(1)", "unknown"),
            ("SELECT public.f(1)", "unknown"),
            ("SELECT public.lower('x')", "unknown"),
            ("SELECT \"Lower\"('x')", "unknown"),
            ("SELECT \"lower\"('x')", ""),
            ("SELECT pg_catalog.f(1)", "unknown"),
            ("SELECT a.pg_catalog.lower('x')", "unknown"),
            ("SELECT \"PG_CATALOG\".lower('x')", "unknown"),
            ("SELECT \"select\"(1)", "unknown"),
            ("SELECT \"coalesce\"(1)", "unknown"),
            ("SELECT lowerx('x')", "unknown"),
            ("SELECT lowe('x')", "unknown"),
            ("SELECT löwer('x')", "unknown"),
            ("SELECT * FROM f(1)", "unknown"),
            ("SELECT * FROM a JOIN f(1) ON true", "unknown"),
            ("SELECT * FROM a, f(1) AS t(b)", "unknown"),
            ("SELECT DISTINCT ON (a) f(b) FROM t", "unknown"),
            ("SELECT 1 OPERATOR(pg_catalog.+) f(2)", "unknown"),
            ("SELECT a FROM t WHERE a > f(1)", "unknown"),
            ("SELECT NOT f(1)", "unknown"),
            ("SELECT a BETWEEN f(1) AND f(2)", "unknown"),
            ("SELECT 1 LIMIT f(1)", "unknown"),
            ("SELECT a FROM t GROUP BY f(1)", "unknown"),
            ("SELECT a AT TIME ZONE f(1) FROM t", "unknown"),
            ("SELECT a LIKE f(1) FROM t", "unknown"),
            ("SELECT a ILIKE f(1) FROM t", "unknown"),
            ("SELECT * FROM t TABLESAMPLE f(1)", "unknown"),
            ("DELETE FROM t USING f(1)", "unknown"),
            ("MERGE INTO t USING f(1) ON true WHEN MATCHED THEN DELETE", "unknown"),
            ("INSERT INTO t SELECT f(1)", "unknown"),
            ("UPDATE t SET a = f(1)", "unknown"),
            ("COPY t FROM 'x' WHERE f(a)", "unknown"),
            ("COPY (SELECT * FROM stdin(1)) TO STDOUT", "unknown"),
            ("SELECT * FROM stdin(1)", "unknown"),
            ("CREATE INDEX ON t (f(a))", "unknown ddl"),
            ("CREATE TABLE t (a int DEFAULT f(1))", "unknown ddl"),
            ("SELECT row_to_json(t), f\n--\n(t) FROM t", "unknown"),
        ],
    );
}

#[test]
fn a_keyword_that_may_name_a_function_is_one_where_the_grammar_has_a_call() {
    compare(
        STANDARD,
        &[
            ("SELECT join(1)", "unknown"),
            ("SELECT a, join(1) FROM t", "unknown"),
            ("SELECT 1 WHERE ilike(1)", "unknown"),
            ("SELECT over(1)", "unknown"),
            ("SELECT 1 + filter(1)", "unknown"),
            ("SELECT DISTINCT ON (1) over(1)", "unknown"),
            ("SELECT by(1)", "unknown"),
            ("SELECT set(1)", "unknown"),
            ("SELECT sets(1)", "unknown"),
            ("SELECT key(1)", "unknown"),
            ("SELECT zone(1)", "unknown"),
            ("SELECT cube(1)", "unknown"),
            ("SELECT a FROM t ORDER BY cube(1)", "unknown"),
            ("SELECT conflict(1)", "unknown"),
            ("SELECT insert('abc', 1, 2, 'x')", "unknown"),
            ("SELECT CASE WHEN true THEN insert('abc', 1, 2, 'x') END", "unknown"),
            ("SELECT materialized(1)", "unknown"),
            ("SELECT operator(1)", "unknown"),
            ("SELECT varying(1)", "unknown"),
            ("SELECT a FROM a JOIN b ON conflict(a.x)", "unknown"),
            ("INSERT INTO t SELECT 1 FROM a JOIN b ON conflict(a.x)", "unknown"),
            ("INSERT INTO t SELECT 1 FROM a JOIN b ON conflict(a.x) ON CONFLICT (a) DO NOTHING", "unknown"),
            ("SELECT json_value(a, '$.b') FROM t", "unknown"),
            ("SELECT merge_action()", "unknown"),
            ("SELECT system_user()", "unknown"),
        ],
    );
}

#[test]
fn built_in_functions_that_run_what_they_are_given_are_unknown() {
    compare(
        STANDARD,
        &[
            ("SELECT query_to_xml('SELECT set_config(''a.b'', ''x'', false)', true, false, '')", "unknown [a.b]"),
            ("SELECT cursor_to_xml('c', 1, true, true, '')", "unknown"),
            ("SELECT * FROM ts_stat('SELECT 1')", "unknown"),
            ("SELECT ts_rewrite('a'::tsquery, 'SELECT 1')", "unknown"),
            ("SELECT pg_logical_slot_get_changes('s', NULL, NULL)", "unknown"),
            ("SELECT pg_replication_origin_create('x')", "unknown"),
            ("SELECT binary_upgrade_set_next_pg_type_oid(1)", "unknown"),
        ],
    );
}

#[test]
fn a_statement_that_is_not_understood_is_unknown() {
    compare(
        STANDARD,
        &[
            ("DO $$ BEGIN END $$", "unknown"),
            ("DO LANGUAGE plpgsql 'BEGIN END'", "unknown"),
            ("CALL p()", "unknown"),
            ("CALL pg_catalog.now()", "unknown"),
            ("FROBNICATE t", "unknown"),
            ("\"SELECT\" 1", "unknown"),
            ("1", "unknown"),
            ("'SELECT 1'", "unknown"),
            (")", "unknown"),
            ("(", "unknown"),
            ("SELECT (1", "unknown"),
            ("SELECT 1)", "unknown"),
            ("SELECT (1; SELECT 2)", "unknown"),
            ("EXPLAIN", "unknown"),
            ("EXPLAIN DO $$ $$", "unknown"),
            ("EXPLAIN (ANALYZE) FROBNICATE", "unknown"),
            ("\\d", "unknown"),
            ("IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c", "unknown ddl"),
        ],
    );
}
