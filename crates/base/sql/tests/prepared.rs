//! SQL's own prepared statements: names as the server keeps them, and where the statement stands.

use atalaya_sql::{PreparedAction, PreparedUse};

use crate::{STANDARD, compare, effects};

#[test]
fn uses_are_told_with_the_name_that_the_server_keeps() {
    compare(
        STANDARD,
        &[
            ("PREPARE p AS SELECT 1", "Prepare:p"),
            ("PREPARE P (int, numeric(10, 2)) AS SELECT $1", "Prepare:p"),
            ("PREPARE \"P\" AS SELECT 1", "Prepare:P"),
            ("PREPARE \"a\"\"b\" AS SELECT 1", "Prepare:a\"b"),
            ("PREPARE U&\"\\0061b\" AS SELECT 1", "Prepare:ab"),
            ("PREPARE transaction AS SELECT 1", "Prepare:transaction"),
            ("PREPARE TRANSACTION 'x'", ""),
            ("PREPARE TRANSACTION $$x$$", ""),
            ("PREPARE p AS INSERT INTO t (a) VALUES ($1) ON CONFLICT (a) DO NOTHING", "Prepare:p"),
            ("PREPARE p AS f(1)", "unknown Prepare:p"),
            ("PREPARE p AS SELECT f(1)", "unknown Prepare:p"),
            ("PREPARE p", "Prepare:p"),
            ("PREPARE", "unknown"),
            ("EXECUTE p", "unknown Execute:p"),
            ("EXECUTE p (1, now())", "unknown Execute:p"),
            ("EXECUTE \"P q\"", "unknown Execute:P q"),
            ("EXPLAIN EXECUTE p", "unknown Execute:p"),
            ("EXPLAIN ANALYZE EXECUTE p(1)", "unknown Execute:p"),
            ("EXPLAIN (ANALYZE, FORMAT json) EXECUTE p(1)", "unknown Execute:p"),
            ("CREATE TABLE t AS EXECUTE p", "unknown ddl Execute:p"),
            ("CREATE TEMP TABLE t (a, b) ON COMMIT DROP AS EXECUTE p(1) WITH NO DATA", "objects unknown ddl Execute:p"),
            ("EXPLAIN ANALYZE CREATE TABLE t AS EXECUTE p", "unknown ddl Execute:p"),
            ("CREATE TABLE t AS SELECT 1 AS execute, 2", "ddl"),
            ("SELECT execute FROM t", ""),
            ("DEALLOCATE p", "Deallocate:p"),
            ("DEALLOCATE PREPARE p", "Deallocate:p"),
            ("DEALLOCATE prepare", "Deallocate:prepare"),
            ("DEALLOCATE prepare;", "Deallocate:prepare"),
            ("DEALLOCATE ALL", "DeallocateAll:"),
            ("DEALLOCATE PREPARE ALL", "DeallocateAll:"),
            ("DEALLOCATE \"all\"", "Deallocate:all"),
            ("PREPARE é AS SELECT 1", "unknown"),
            ("PREPARE \"é\" AS SELECT 1", "Prepare:é"),
        ],
    );
}

#[test]
fn a_long_name_is_cut_as_the_server_cuts_it() {
    let name = |sql: &str| effects(sql).prepared[0].name.clone();
    let long = "a".repeat(70);
    assert_eq!(name(&format!("EXECUTE {long}")), "a".repeat(63));
    assert_eq!(name(&format!("EXECUTE \"{}é\"", "a".repeat(61))), format!("{}é", "a".repeat(61)));
    assert_eq!(name(&format!("EXECUTE \"{}é\"", "a".repeat(62))), "a".repeat(62));
}

#[test]
fn a_use_is_told_with_the_bytes_of_its_statement() {
    let sql = " SELECT 1; /* x */ PREPARE p AS\n SELECT ';' ; EXECUTE p (1)  -- y\n;deallocate p";
    let found = effects(sql);
    let texts: Vec<&str> = found.prepared.iter().map(|used| &sql[used.text.clone()]).collect();
    assert_eq!(texts, ["PREPARE p AS\n SELECT ';'", "EXECUTE p (1)", "deallocate p"]);
    assert_eq!(found.statements, 4);
    let used = PreparedUse { action: PreparedAction::Execute, name: "p".to_owned(), text: 0..9 };
    assert_eq!(effects("EXECUTE p").prepared, [used]);
}
