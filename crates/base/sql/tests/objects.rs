//! What belongs to the session besides settings: temporary objects, cursors, channels, locks, and what nobody sees.

use crate::{STANDARD, compare};

#[test]
fn what_makes_or_ends_an_object_of_the_session_is_told() {
    compare(
        STANDARD,
        &[
            ("CREATE TEMP TABLE t (a int)", "objects ddl"),
            ("CREATE TEMPORARY TABLE IF NOT EXISTS t (a numeric(10, 2))", "objects ddl"),
            ("CREATE LOCAL TEMP TABLE t (a int)", "objects ddl"),
            ("CREATE GLOBAL TEMPORARY TABLE t (a int) ON COMMIT DROP", "objects ddl"),
            ("create/**/temp/**/table t ()", "objects ddl"),
            ("CREATE TEMP VIEW v AS SELECT 1", "objects ddl"),
            ("CREATE OR REPLACE TEMP VIEW v (a) AS SELECT 1", "objects ddl"),
            ("CREATE TEMP RECURSIVE VIEW v (a) AS SELECT 1", "objects ddl"),
            ("CREATE TEMP SEQUENCE s", "objects ddl"),
            ("CREATE TEMP TABLE t AS SELECT 1", "objects ddl"),
            ("CREATE TABLE pg_temp.t (a int)", "objects ddl"),
            ("CREATE TABLE \"pg_temp\".t (a int)", "objects ddl"),
            ("CREATE TABLE U&\"pg\\005ftemp\".t (a int)", "objects ddl"),
            ("CREATE TABLE PG_TEMP_3 . t (a int)", "objects ddl"),
            ("CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "objects unknown ddl"),
            ("CREATE TYPE pg_temp.t AS (a int)", "objects ddl"),
            ("CREATE SCHEMA x CREATE TEMP TABLE t (a int)", "objects ddl"),
            ("EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1", "objects ddl"),
            ("SELECT * INTO TEMP t FROM u", "objects ddl"),
            ("SELECT * INTO TEMPORARY TABLE t FROM u", "objects ddl"),
            ("SELECT 1 INTO LOCAL TEMP t", "objects ddl"),
            ("SELECT * INTO pg_temp.t FROM u", "objects ddl"),
            ("SELECT * INTO t FROM u", "ddl"),
            ("INSERT INTO pg_temp.t (a) VALUES (1)", "objects"),
            ("LISTEN a", "objects"),
            ("listen \"a\"", "objects"),
            ("UNLISTEN *", "objects"),
            ("SELECT 1; LISTEN a", "objects"),
            ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "objects"),
            ("DECLARE c SCROLL CURSOR WITH/**/HOLD FOR SELECT 1", "objects"),
            ("CLOSE c", "objects"),
            ("CLOSE ALL", "objects"),
            ("DROP TABLE t", "objects ddl"),
            ("DROP FUNCTION f(int)", "objects unknown ddl"),
            ("DISCARD ALL", "settings objects All"),
            ("DISCARD PLANS", "objects Plans"),
            ("DISCARD SEQUENCES", "objects Sequences"),
            ("DISCARD TEMP", "objects Temp"),
            ("DISCARD TEMPORARY", "objects Temp"),
            ("DISCARD /* */ TEMP; DISCARD PLANS", "objects Temp"),
            ("DISCARD PLANS; DISCARD ALL; DISCARD TEMP", "settings objects All"),
            ("DISCARD", "settings objects All"),
        ],
    );
}

#[test]
fn advisory_locks_of_the_session_are_told_and_those_of_the_transaction_are_not() {
    compare(
        STANDARD,
        &[
            ("SELECT pg_advisory_lock(1)", "objects"),
            ("SELECT pg_advisory_lock_shared(1, 2)", "objects"),
            ("SELECT pg_catalog.pg_try_advisory_lock(1)", "objects"),
            ("SELECT PG_TRY_ADVISORY_LOCK_SHARED (1)", "objects"),
            ("SELECT pg_advisory_unlock(1)", "objects"),
            ("SELECT pg_advisory_unlock_shared(1)", "objects"),
            ("SELECT \"pg_advisory_unlock_all\"()", "objects"),
            ("SELECT x.pg_advisory_lock(1)", "objects unknown"),
            ("SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock_shared(1)", ""),
            ("SELECT * FROM pg_locks WHERE locktype = 'advisory'", ""),
        ],
    );
}

#[test]
fn what_no_question_shows_cannot_be_handed_over() {
    compare(
        STANDARD,
        &[
            ("LOAD 'auto_explain'", "objects unseen"),
            ("SELECT setseed(0.5)", "unseen"),
            ("SELECT pg_backup_start('x')", "unseen"),
            ("SELECT pg_start_backup('x', true, false)", "unseen"),
            ("SELECT * FROM pg_backup_stop()", "unseen"),
            ("SELECT pg_replication_origin_session_setup('x')", "unseen"),
            ("SELECT pg_create_logical_replication_slot('x', 'pgoutput', true)", "unseen"),
            ("SELECT dblink_connect('x', 'host=y')", "unseen"),
            ("SELECT ext.dblink_connect_u('x', 'host=y')", "unknown unseen"),
            ("SELECT lo_open(1, 2), lo_create(0)", ""),
            ("SELECT pg_export_snapshot()", ""),
        ],
    );
}

#[test]
fn what_the_session_remembers_of_sequences_is_told() {
    compare(
        STANDARD,
        &[
            ("SELECT lastval()", "sequences"),
            ("SELECT currval('s')", "sequences"),
            ("INSERT INTO t (a) VALUES (currval('s'::regclass))", "sequences"),
            ("SELECT pg_catalog.lastval()", "sequences"),
            ("SELECT nextval('s')", ""),
            ("CREATE TABLE t (a int DEFAULT nextval('s'))", "ddl"),
            ("INSERT INTO t DEFAULT VALUES; SELECT lastval()", "sequences"),
        ],
    );
}
