//! `CREATE`, `ALTER` and the like: what changes definitions, and what of it runs something that is not in the text.

use crate::{STANDARD, compare, effects};

#[test]
fn definitions_are_told_and_leave_the_session_alone() {
    compare(
        STANDARD,
        &[
            ("CREATE TABLE t (a int, b numeric(10, 2), c varchar(10) NOT NULL DEFAULT 'x', PRIMARY KEY (a))", "ddl"),
            (
                "CREATE TABLE IF NOT EXISTS public.t (a int CHECK (a > 1), UNIQUE (a), FOREIGN KEY (a) REFERENCES u (b))",
                "ddl",
            ),
            (
                "CREATE TABLE \"T\" (\"A\" timestamp(3) with time zone DEFAULT now(), \"B\" uuid DEFAULT gen_random_uuid())",
                "ddl",
            ),
            (
                "CREATE TABLE t (a vector(3), b geometry(Point, 4326), \"c\" ext.vector(3), d character varying(3)[])",
                "ddl",
            ),
            (
                "CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY (START 1), b int GENERATED ALWAYS AS (a * 2) STORED)",
                "ddl",
            ),
            ("CREATE TABLE t (a int) INHERITS (u) WITH (fillfactor = 70) TABLESPACE x", "ddl"),
            ("CREATE TABLE t (LIKE u INCLUDING ALL, CONSTRAINT c UNIQUE (a) INCLUDE (b))", "ddl"),
            ("CREATE TABLE t PARTITION OF u FOR VALUES FROM (1) TO (2)", "ddl"),
            ("CREATE UNLOGGED TABLE t (a int)", "ddl"),
            ("CREATE TABLE t AS SELECT 1 AS temp", "ddl"),
            ("CREATE TABLE t (temp int, local int)", "ddl"),
            ("CREATE INDEX ON t (a)", "ddl"),
            (
                "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON public.t USING btree (lower(a), b DESC) INCLUDE (c) WHERE a > 1",
                "ddl",
            ),
            ("CREATE VIEW v (a, b) AS SELECT 1, 2", "ddl"),
            ("CREATE OR REPLACE VIEW v AS SELECT count(*) FROM t", "ddl"),
            ("CREATE MATERIALIZED VIEW v AS SELECT 1", "ddl"),
            ("CREATE TYPE t AS ENUM ('a', 'b')", "ddl"),
            ("CREATE TYPE t AS (a int, b varchar(10))", "ddl"),
            ("CREATE DOMAIN d AS varchar(10) CHECK (VALUE > 'a')", "ddl"),
            ("CREATE SEQUENCE s START 1", "ddl"),
            ("CREATE SCHEMA s AUTHORIZATION x", "ddl"),
            ("CREATE ROLE x LOGIN PASSWORD 'y'", "ddl"),
            ("CREATE DATABASE d", "ddl"),
            ("CREATE POLICY p ON t USING (a = current_setting('app.tenant'))", "ddl"),
            ("ALTER TABLE t ADD COLUMN a int DEFAULT 1, ADD COLUMN b vector(3), DROP COLUMN c", "ddl"),
            ("ALTER TABLE t SET (fillfactor = 70)", "ddl"),
            ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 1) NOT VALID", "ddl"),
            ("ALTER ROLE x SET work_mem = '1MB'", "ddl"),
            ("ALTER DATABASE d SET app.tenant = 'x'", "ddl"),
            ("ALTER SYSTEM SET work_mem = '1MB'", "ddl"),
            ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO x", "ddl"),
            ("TRUNCATE t, u RESTART IDENTITY CASCADE", "ddl"),
            ("REINDEX (VERBOSE) TABLE t", "ddl"),
            ("CLUSTER t USING i", "ddl"),
            ("REFRESH MATERIALIZED VIEW v", "ddl"),
            ("REASSIGN OWNED BY a TO b", "ddl"),
        ],
    );
    assert!(effects("CREATE TABLE t (a int)").is_plain());
}

#[test]
fn definitions_that_run_what_is_not_in_the_text_are_unknown() {
    compare(
        STANDARD,
        &[
            ("CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'", "unknown ddl"),
            ("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$BEGIN SET x = 1; END$$", "unknown ddl"),
            ("CREATE PROCEDURE p() LANGUAGE sql AS ''", "unknown ddl"),
            ("ALTER FUNCTION f(int) SET work_mem = 1", "unknown ddl"),
            ("CREATE EXTENSION x", "unknown ddl"),
            ("ALTER EXTENSION x UPDATE", "unknown ddl"),
            ("CREATE LANGUAGE x", "unknown ddl"),
            ("CREATE SERVER x FOREIGN DATA WRAPPER y", "unknown ddl"),
            ("CREATE AGGREGATE a (int) (sfunc = f, stype = int)", "unknown ddl"),
            ("CREATE CAST (a AS b) WITH FUNCTION f(a)", "unknown ddl"),
            ("CREATE EVENT TRIGGER x ON ddl_command_end EXECUTE FUNCTION f()", "unknown ddl"),
            ("CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", "unknown ddl"),
            ("CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2)", "unknown ddl"),
            ("CREATE", "unknown ddl"),
            ("ALTER \"x\"", "unknown ddl"),
        ],
    );
}

#[test]
fn a_body_with_statements_in_it_hides_nothing() {
    let body =
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END";
    assert!(effects(body).unknown);
    assert!(effects(&format!("{body}; SET x = 1")).settings);
    assert!(effects(&format!("{body}; LISTEN a")).session_objects);
}
