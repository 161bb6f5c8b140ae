//! `SET`, `RESET`, `set_config` and whatever else changes a setting, and the names that are told.

use crate::{STANDARD, compare, effects};

#[test]
fn set_and_reset_are_told_with_the_name_that_the_server_uses() {
    compare(
        STANDARD,
        &[
            ("SET work_mem = '1MB'", "settings [work_mem]"),
            ("SET work_mem TO DEFAULT", "settings [work_mem]"),
            ("set Work_Mem to 1", "settings [work_mem]"),
            ("SET SESSION work_mem = 1", "settings [work_mem]"),
            ("SET \"Work_Mem\" = 1", "settings [work_mem]"),
            ("SET app.tenant = 'x'", "settings [app.tenant]"),
            ("SET App . Tenant = 'x'", "settings [app.tenant]"),
            ("SET \"App\".\"Tenant\" = 'x'", "settings [app.tenant]"),
            ("SET \"app.tenant\" = 'x'", "settings [app.tenant]"),
            ("SET a.b.c = 'x'", "settings [a.b.c]"),
            ("SET/**/app/**/./**/tenant/**/=/**/1", "settings [app.tenant]"),
            ("SET search_path = a, b", "settings [search_path]"),
            ("SET SCHEMA 'a'", "settings [search_path]"),
            ("SET SESSION SCHEMA 'a'", "settings [search_path]"),
            ("SET NAMES 'UTF8'", "settings [client_encoding]"),
            ("SET NAMES", "settings [client_encoding]"),
            ("SET TIME ZONE 'UTC'", "settings [timezone]"),
            ("SET TIME ZONE LOCAL", "settings [timezone]"),
            ("SET SESSION TIME ZONE INTERVAL '1' HOUR TO MINUTE", "settings [timezone]"),
            ("SET timezone = 'UTC'", "settings [timezone]"),
            ("SET ROLE x", "settings [role]"),
            ("SET ROLE NONE", "settings [role]"),
            ("SET SESSION ROLE x", "settings [role]"),
            ("SET role = x", "settings [role]"),
            ("SET role TO x", "settings [role]"),
            ("SET SESSION AUTHORIZATION x", "settings [session_authorization role]"),
            ("SET SESSION AUTHORIZATION DEFAULT", "settings [session_authorization role]"),
            ("SET SESSION SESSION AUTHORIZATION x", "settings [session_authorization role]"),
            ("SET session_authorization = x", "settings [session_authorization]"),
            (
                "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
                "settings [default_transaction_isolation default_transaction_read_only default_transaction_deferrable]",
            ),
            ("SET XML OPTION DOCUMENT", "settings [xmloption]"),
            ("SET transaction_isolation = 'serializable'", "settings [transaction_isolation]"),
            ("SET x", "settings [x]"),
            ("SET", "settings unknown"),
            ("SET;", "settings unknown"),
            ("RESET work_mem", "settings [work_mem]"),
            ("RESET app.tenant", "settings [app.tenant]"),
            ("RESET ALL", "settings"),
            ("RESET ROLE", "settings [role]"),
            ("RESET SESSION AUTHORIZATION", "settings [session_authorization role]"),
            ("RESET TIME ZONE", "settings [timezone]"),
            ("RESET TRANSACTION ISOLATION LEVEL", "settings [transaction_isolation]"),
            ("RESET names", "settings [names]"),
            ("RESET session.x", "settings [session.x]"),
            ("RESET", "settings unknown"),
            ("BEGIN; SET x = 1; COMMIT", "settings [x]"),
            ("SET a = 1; SET b = 2; SET a = 3; SET LOCAL c = 4", "settings [a b]"),
            ("SET seed = 0.5", "settings unseen [seed]"),
            ("SET SEED TO 0.5", "settings unseen [seed]"),
        ],
    );
}

#[test]
fn keywords_that_begin_a_settings_name_make_nothing_local() {
    compare(
        STANDARD,
        &[
            ("SET local.x = 1", "settings [local.x]"),
            ("SET LOCAL . x = 1", "settings [local.x]"),
            ("SET LOCAL/* */.x TO 1", "settings [local.x]"),
            ("SET transaction.x = 1", "settings [transaction.x]"),
            ("SET constraints.x = 1", "settings [constraints.x]"),
            ("SET session.x = 1", "settings [session.x]"),
            ("SET session.local.x = 1", "settings [session.local.x]"),
            ("SET SESSION local.x = 1", "settings [local.x]"),
            ("SET SESSION transaction.x = 1", "settings [transaction.x]"),
            ("SET SESSION session.x = 1", "settings [session.x]"),
            ("SET time.zone = 1", "settings [time.zone]"),
            ("SET names.x = 1", "settings [names.x]"),
            ("SET local = 1", "settings [local]"),
            ("SET local TO 1", "settings [local]"),
            ("SET transaction = 1", "settings [transaction]"),
            ("SET \"local\" x = 1", "settings [local]"),
            ("SET SESSION LOCAL x = 1", "settings [local]"),
            (
                "SET SESSION TRANSACTION READ ONLY",
                "settings [transaction_isolation transaction_read_only transaction_deferrable]",
            ),
            ("SET LOCAL local.x = 1", ""),
            ("SET LOCAL session.x = 1", ""),
            ("SET LOCAL SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", ""),
            ("SET LOCAL TRANSACTION READ ONLY", ""),
        ],
    );
}

#[test]
fn set_config_is_found_in_every_spelling() {
    compare(
        STANDARD,
        &[
            ("SELECT set_config('a.b', 'x', false)", "settings [a.b]"),
            ("SELECT set_config('a.b', 'x', true)", "settings [a.b]"),
            ("sElEcT SeT_cOnFiG('A.b', 'x', false)", "settings [a.b]"),
            ("SELECT set_config /* */ ( -- \n 'a.b', 'x', false)", "settings [a.b]"),
            ("SELECT pg_catalog . set_config ('search_path', '', false)", "settings [search_path]"),
            ("SELECT \"set_config\"('a.b', 'x', false)", "settings [a.b]"),
            ("SELECT \"pg_catalog\".\"set_config\"('a.b', 'x', false)", "settings [a.b]"),
            ("SELECT U&\"set\\005fconfig\"('a.b', 'x', false)", "settings [a.b]"),
            ("SELECT u&\"\\+000073et_config\"('a.b', 'x', false)", "settings [a.b]"),
            ("SELECT U&\"set!005fconfig\" UESCAPE '!' ('a.b', 'x', false)", "unknown [a.b]"),
            ("SELECT other.set_config('a.b', 'x', false)", "settings unknown [a.b]"),
            ("SELECT db.pg_catalog.set_config('a.b', 'x', false)", "settings unknown [a.b]"),
            ("SELECT \"SET_CONFIG\"('a.b', 'x', false)", "unknown [a.b]"),
            ("SELECT set_config($1, $2, false)", "settings unknown"),
            ("SELECT set_config('a.' || 'b', 'x', false)", "settings unknown"),
            ("SELECT set_config(E'a\\x2eb', 'x', false)", "settings [a.b]"),
            ("SELECT set_config(U&'a\\002eb', 'x', false)", "settings [a.b]"),
            ("SELECT set_config($$a.b$$, 'x', false)", "settings [a.b]"),
            ("SELECT set_config('a'\n'.b', 'x', false)", "settings [a.b]"),
            ("SELECT set_config('my \"odd\" one', 'x', false)", "settings [my \"odd\" one]"),
            ("SELECT set_config('seed', '0.5', false)", "settings unseen [seed]"),
            ("SELECT set_config(setting_name => 'a.b', new_value => 'x', is_local => false)", "settings unknown [a.b]"),
            ("EXPLAIN ANALYZE SELECT set_config('a.b', 'x', false)", "settings [a.b]"),
            ("COPY (SELECT set_config('a.b', 'x', false)) TO STDOUT", "settings [a.b]"),
            ("SELECT * FROM set_config('a.b', 'x', false)", "settings [a.b]"),
            ("SELECT * FROM t JOIN set_config('a.b', 'x', false) ON true", "settings [a.b]"),
            ("SELECT * FROM ROWS FROM (set_config('a.b', 'x', false), now())", "settings [a.b]"),
            ("SELECT * FROM t, LATERAL set_config('a.b', 'x', false)", "settings [a.b]"),
            ("SELECT 1 WHERE set_config('a.b', 'x', false) = 'x'", "settings [a.b]"),
            ("SELECT DISTINCT ON (1) set_config('a.b', 'x', false)", "settings [a.b]"),
            ("SELECT 1 OPERATOR(pg_catalog.+) set_config('a.b', 'x', false)::int", "settings [a.b]"),
            ("SELECT 1 ORDER BY set_config('a.b', 'x', false)", "settings [a.b]"),
            ("SELECT 1 LIMIT set_config('a.b', 'x', false)::int", "settings [a.b]"),
            ("SELECT CASE WHEN true THEN set_config('a.b', 'x', false) END", "settings [a.b]"),
            ("SELECT ARRAY[set_config('a.b', 'x', false)]", "settings [a.b]"),
            ("SELECT (set_config('a.b', 'x', false))", "settings [a.b]"),
            ("SELECT -set_config('a.b', '1', false)::int", "settings [a.b]"),
            ("SELECT a[1]set_config('a.b', '1', false)", "settings [a.b]"),
            ("SELECT 1set_config('a.b', '1', false)", "settings [a.b]"),
            ("VALUES (set_config('a.b', 'x', false))", "settings [a.b]"),
            ("INSERT INTO t VALUES (set_config('a.b', 'x', false))", "settings [a.b]"),
            ("INSERT INTO t (a) SELECT set_config('a.b', 'x', false)", "settings [a.b]"),
            ("INSERT INTO t (a) VALUES (1) RETURNING set_config('a.b', 'x', false)", "settings [a.b]"),
            ("UPDATE t SET a = set_config('a.b', 'x', false)", "settings [a.b]"),
            ("WITH x AS (SELECT set_config('a.b', 'x', false)) SELECT * FROM x", "settings [a.b]"),
            ("WITH x AS NOT MATERIALIZED (SELECT set_config('a.b', 'x', false)) SELECT 1", "settings unknown [a.b]"),
            ("PREPARE p AS SELECT set_config('a.b', 'x', false)", "settings Prepare:p [a.b]"),
            ("DECLARE c CURSOR FOR SELECT set_config('a.b', 'x', false)", "settings [a.b]"),
            ("CREATE TABLE t AS SELECT set_config('a.b', 'x', false)", "settings ddl [a.b]"),
            ("CREATE INDEX ON t (set_config('a.b', 'x', false))", "settings ddl [a.b]"),
            ("CREATE INDEX ON t (a) WHERE set_config('a.b', 'x', false) = 'x'", "settings ddl [a.b]"),
            ("ALTER TABLE t ADD a text DEFAULT set_config('a.b', 'x', false)", "settings ddl [a.b]"),
            ("ALTER TABLE t ALTER a TYPE text USING set_config('a.b', 'x', false)", "settings ddl [a.b]"),
            ("SELECT 'x'::set_config('a.b')", ""),
            ("SELECT set_config FROM set_config", ""),
            ("SELECT 1 AS set_config", ""),
            ("SELECT 'set_config(''a.b'', 1, false)'", ""),
        ],
    );
}

#[test]
fn a_write_to_pg_settings_is_a_set() {
    compare(
        STANDARD,
        &[
            ("UPDATE pg_settings SET setting = 'x' WHERE name = 'a.b'", "settings unknown [a.b]"),
            ("UPDATE pg_catalog.pg_settings SET setting = 1", "settings unknown"),
            ("UPDATE ONLY \"pg_settings\" * SET setting = 1", "settings unknown"),
            ("UPDATE U&\"pg\\005fsettings\" SET setting = 1", "settings unknown"),
            ("WITH x AS (UPDATE PG_Settings SET setting = 1 RETURNING 1) SELECT 1", "settings unknown"),
            ("EXPLAIN ANALYZE UPDATE pg_settings SET setting = 1", "settings unknown"),
            ("PREPARE p AS UPDATE pg_settings SET setting = 1", "settings unknown Prepare:p"),
            ("SELECT * FROM pg_settings; UPDATE t SET a = 1", ""),
            ("SELECT * FROM \"PG_SETTINGS\" FOR UPDATE", ""),
        ],
    );
}

#[test]
fn names_are_looked_for_in_bodies_and_in_strings_that_are_executed() {
    compare(
        STANDARD,
        &[
            ("DO $$BEGIN PERFORM set_config('a.b', 'x', false); END$$", "unknown [a.b]"),
            (
                "DO $$BEGIN SET c.d = 1; SET LOCAL e.f = 2; SET SESSION g.h = 3; RESET i.j; END$$",
                "unknown [c.d e.f g.h i.j]",
            ),
            ("DO $$BEGIN EXECUTE 'SET a.b = 1'; END$$", "unknown [a.b]"),
            ("DO $$BEGIN EXECUTE 'SELECT set_config(''a.b'', ''x'', false)'; END$$", "unknown [a.b]"),
            ("DO $a$BEGIN EXECUTE $b$SELECT set_config($c$a.b$c$, 'x', false)$b$; END$a$", "unknown [a.b]"),
            ("DO 'BEGIN PERFORM set_config(''work_mem'', ''1.5'', false); END'", "unknown [work_mem]"),
            ("SELECT f('a.b'), 'mail@example.org', '1.5', 'A sentence.', 'c-d.e:f'", "unknown [a.b c-d.e:f]"),
            ("CALL p('App.Tenant')", "unknown [app.tenant]"),
            ("SELECT 'a.b'", ""),
        ],
    );
}

#[test]
fn more_names_than_anybody_asks_for_are_unknown() {
    let set = |count: usize| (0..count).map(|number| format!("SET a.b{number} = 1;")).collect::<String>();
    let found = effects(&set(64));
    assert_eq!((found.setting_names.len(), found.unknown), (64, false));
    let found = effects(&set(65));
    assert_eq!((found.setting_names.len(), found.unknown), (64, true));
    let body: String = (0..1000).map(|number| format!("PERFORM f('a.b{number}');")).collect();
    let found = effects(&format!("SET x = 1; SELECT $$ {body} $$"));
    assert_eq!((found.setting_names.len(), found.unknown), (64, true));
    let found = effects(&format!("SET {}b = 1", "a.".repeat(200)));
    assert!(found.settings && found.unknown && found.setting_names.is_empty());
    // The server cuts every part.
    let found = effects(&format!("SET a.{} = 1", "b".repeat(300)));
    assert_eq!(found.setting_names, [format!("a.{}", "b".repeat(63))]);
}
