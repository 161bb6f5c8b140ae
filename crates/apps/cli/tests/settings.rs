//! Databases whose own settings turn every session setting the other way move exactly: copy, changes, proof.

use atalaya_sandbox::{Server, ServerOptions};

use crate::support::Move;

/// Every type whose text depends on a setting, with values that show it.
const TABLES: &str = r#"
CREATE TABLE values (id int PRIMARY KEY, price money, day date, at timestamp, instant timestamptz, span interval, tick time,
    ticktz timetz, f8 float8, f4 float4, raw bytea, words text[], plain text, "text" text, doc xml, js jsonb, list money[], "range" tstzrange,
    "number" numeric, flag bool, moments timestamptz[], spans interval[], addr inet, comp point);
ALTER TABLE values REPLICA IDENTITY FULL;
CREATE TABLE bag (price money, instant timestamptz, span interval, f8 float8, raw bytea, plain text);
ALTER TABLE bag REPLICA IDENTITY FULL;
CREATE TABLE keyed_by_time (at timestamptz, span interval, f8 float8, price money, v text, PRIMARY KEY (at, span, f8, price));
"#;

/// Rows as a client with plain settings writes them.
const ROWS: &str = r#"
INSERT INTO values
SELECT n, (n * 1234 % 99999)::numeric::money, '2024-02-28'::date + n, '2024-01-01'::timestamp + n * interval '1 day 1 us',
    '2024-03-31 00:30+00'::timestamptz + n * interval '7 hours 11 min', make_interval(months => n, days => -n, secs => n * -1.5),
    '23:59:59.999999', '23:59:59.999999+05:45', 0.1 + n / 3.0::float8, (0.1 + n / 3.0)::float4,
    decode(string_agg, 'hex'), ARRAY['a', NULL, 'NULL', '', E'\\', '"', n::text], E'back\\slash ''quote'' \\x41 \t tab ' || n,
    'plain', '<a>x</a>', jsonb_build_object('k', n), ARRAY[n::numeric::money, NULL], tstzrange('2024-01-01 00:00+00', NULL),
    n / 7.0, n % 2 = 0, ARRAY['2024-07-01 12:00+00'::timestamptz, NULL], ARRAY['-1 day +02:03'::interval], '10.0.0.1/8', point(0.1, n / 3.0)
  FROM generate_series(1, 60) n, (SELECT string_agg(lpad(to_hex(b), 2, '0'), '' ORDER BY b) FROM generate_series(0, 255) b) bytes;
INSERT INTO values (id, day, at, instant, span, f8, f4, "number", plain) VALUES
    (1001, '0044-03-15 BC', '0044-03-15 12:00:00 BC', '0044-03-15 12:00:00+00 BC', '-1 year -2 mons +3 days -04:05:06.789', '1e308', '1e-38', 'NaN', 'Ünïcödé ÿ €'),
    (1002, 'infinity', '-infinity', 'infinity', '1 mon -1 day +00:00:00.000001', '-0', 'NaN', 1e100, ''),
    (1003, '5874897-12-31', '294276-12-31 23:59:59.999999', '1900-01-01 00:00:00.5+00', '178000000 years', '1.7976931348623157e308', '3.4028235e38', 0, NULL),
    (1004, '1999-12-31', '1999-12-31', '1883-11-18 12:00:00+00', '-178000000 years', '2.2250738585072014e-308', '-inf', -0.000001, E'\\x00ff'),
    (1005, '01-02-2003'::date, '2003-01-02', '2003-01-02 03:04:05+00', '0', '0.30000000000000004', '0.3', 0.10, 'é');
INSERT INTO bag SELECT 12::money, '2024-03-31 01:30+00'::timestamptz + n % 5 * interval '1 h', make_interval(days => -n % 3, hours => 5),
    0.1 + 0.2, '\x00ff5c27', E'dup\\' FROM generate_series(1, 40) n;
INSERT INTO keyed_by_time SELECT '2024-10-27 00:30+00'::timestamptz + n * interval '30 min', make_interval(days => n, hours => -n),
    1 / 3.0::float8 + n, n::numeric::money, 'v' || n FROM generate_series(1, 50) n;
"#;

const CHANGES: &str = r#"
UPDATE values SET span = -span, f8 = f8 * 3, price = price * 3, raw = raw || '\x5c5c00', instant = instant + interval '5 h 45 min', words = words || NULL::text,
    plain = plain || E' \\ ß' WHERE id % 2 = 0 AND id < 100;
DELETE FROM values WHERE id % 7 = 0 AND id < 100;
INSERT INTO values (id, price, day, instant, span, f8, raw, plain) VALUES
    (2001, '-77', '0001-01-01 BC', '4713-01-01 00:00:00+00 BC', '-00:00:00.000001', 5e-324, '\x', E'new \\n ü');
UPDATE values SET id = id + 3000 WHERE id = 1001;
DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag WHERE span = interval '-1 day 5 hours' LIMIT 2);
UPDATE bag SET f8 = f8 + 1, price = price + 1::money WHERE span = interval '-2 day 5 hours';
UPDATE keyed_by_time SET at = at + interval '1 us' WHERE f8 < 10;
DELETE FROM keyed_by_time WHERE f8 > 40;
UPDATE keyed_by_time SET v = E'changed\\' WHERE f8 BETWEEN 20 AND 30;
"#;

/// What a client of the tests says first, whatever the database says.
const PLAIN: &str = "SET search_path = public; SET DateStyle = 'ISO, DMY'; SET IntervalStyle = postgres; SET TimeZone = 'UTC';
    SET standard_conforming_strings = on; SET array_nulls = on; SET xmloption = content; SET row_security = on; SET statement_timeout = 0;
    SET default_transaction_read_only = off; SET bytea_output = hex; SET session_replication_role = origin;
    SET extra_float_digits = 1;\n";

/// Each of the session's settings, the other way round.
const SOURCE: &[(&str, &str)] = &[
    ("DateStyle", "'SQL, DMY'"),
    ("IntervalStyle", "sql_standard"),
    ("extra_float_digits", "-3"),
    ("bytea_output", "escape"),
    ("lc_monetary", "'ja_JP.UTF-8'"),
    ("lc_numeric", "'de_DE.UTF-8'"),
    ("TimeZone", "'Asia/Kathmandu'"),
    ("client_encoding", "LATIN1"),
    ("search_path", "shadow, pg_catalog"),
    ("row_security", "on"),
    ("default_transaction_read_only", "on"),
    ("default_transaction_isolation", "serializable"),
    ("default_transaction_deferrable", "on"),
    ("statement_timeout", "'30ms'"),
    ("lock_timeout", "'20ms'"),
    ("idle_in_transaction_session_timeout", "'20ms'"),
    ("standard_conforming_strings", "off"),
    ("backslash_quote", "off"),
    ("array_nulls", "off"),
    ("xmloption", "document"),
    ("xmlbinary", "hex"),
    ("transform_null_equals", "on"),
    ("quote_all_identifiers", "on"),
    ("timezone_abbreviations", "'India'"),
    ("synchronous_commit", "off"),
    ("work_mem", "'64kB'"),
    ("enable_seqscan", "off"),
    ("session_replication_role", "replica"),
];

const TARGET: &[(&str, &str)] = &[
    ("DateStyle", "'German, MDY'"),
    ("IntervalStyle", "iso_8601"),
    ("extra_float_digits", "0"),
    ("bytea_output", "escape"),
    ("lc_monetary", "'ja_JP.UTF-8'"),
    ("TimeZone", "'America/Sao_Paulo'"),
    ("client_encoding", "LATIN1"),
    ("search_path", "shadow, pg_catalog"),
    ("row_security", "on"),
    ("default_transaction_read_only", "on"),
    ("default_transaction_isolation", "serializable"),
    ("statement_timeout", "'30ms'"),
    ("lock_timeout", "'20ms'"),
    ("idle_in_transaction_session_timeout", "'20ms'"),
    ("standard_conforming_strings", "off"),
    ("array_nulls", "off"),
    ("xmloption", "document"),
    ("transform_null_equals", "on"),
    ("default_tablespace", "''"),
    ("check_function_bodies", "on"),
    ("synchronous_commit", "off"),
    ("jit", "on"),
    ("jit_above_cost", "0"),
    ("work_mem", "'64kB'"),
    ("quote_all_identifiers", "on"),
    ("session_replication_role", "replica"),
];

/// Names of pg_catalog's own, with other meanings; first in the database's search path.
const SHADOW: &str = "
    CREATE SCHEMA shadow;
    CREATE FUNCTION shadow.concat(VARIADIC text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'shadowed'::pg_catalog.text $$;
    CREATE FUNCTION shadow.md5(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'shadowed'::pg_catalog.text $$;
    CREATE FUNCTION shadow.hashtextextended(text, bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 0::bigint $$;
    CREATE FUNCTION shadow.count() RETURNS bigint LANGUAGE sql AS $$ SELECT 0::bigint $$;
    CREATE FUNCTION shadow.never(integer, integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT false $$;
    CREATE OPERATOR shadow.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = shadow.never);
    CREATE OPERATOR shadow.- (LEFTARG = integer, RIGHTARG = integer, FUNCTION = pg_catalog.int4pl);
    CREATE DOMAIN shadow.int8 AS pg_catalog.text; CREATE DOMAIN shadow.bytea AS pg_catalog.int4;
    CREATE VIEW shadow.pg_class AS SELECT 1 AS nothing; CREATE VIEW shadow.pg_namespace AS SELECT 1 AS nothing;
    CREATE VIEW shadow.pg_attribute AS SELECT 1 AS nothing;";

/// Whether settings belong to the database, or to the role in the database.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Database,
    RoleInDatabase,
}

fn set_all(server: &Server, settings: &[(&str, &str)], owner: Owner) {
    let whom = match owner {
        Owner::Database => "DATABASE shop",
        Owner::RoleInDatabase => "ROLE postgres IN DATABASE shop",
    };
    // From another database: the settings already made must not meet the next statement.
    let sql: String = settings.iter().map(|(name, value)| format!("ALTER {whom} SET {name} = {value};\n")).collect();
    server.run_sql("postgres", &sql).unwrap();
}

fn run_plain(server: &Server, sql: &str) -> String {
    server.run_sql("shop", &format!("{PLAIN}{sql}")).unwrap()
}

fn move_with(owner: Owner, to: u16) {
    let shop = Move::with(ServerOptions::new(13), ServerOptions::new(to));
    shop.source.run_sql("shop", &format!("{SHADOW}{TABLES}")).unwrap();
    set_all(&shop.source, SOURCE, owner);
    set_all(&shop.target, TARGET, owner);
    run_plain(&shop.source, ROWS);
    // The settings are there: a client that says nothing of its own sees them.
    assert_eq!(shop.source.run_sql("shop", "SHOW DateStyle").unwrap(), "SQL, DMY");
    assert_eq!(shop.target.run_sql("shop", "SHOW IntervalStyle").unwrap(), "iso_8601");
    assert_eq!(shop.source.run_sql("shop", "SELECT pg_catalog.concat(1 = 1, 1.5::pg_catalog.money)").unwrap(), "f￥2");

    shop.done("start", &["--stop-when", "caught-up"]);
    shop.assert_equal();
    let running = shop.follow(&[]);
    run_plain(&shop.source, CHANGES);
    let proof = shop.validate(&[]);
    assert_eq!(proof.code, Some(0), "{}\n{}", proof.stdout, proof.stderr);
    shop.assert_equal();
    run_plain(&shop.target, "UPDATE values SET price = price + 1::money, span = span - interval '1 us', f8 = f8 + 1e-15 WHERE id = 1;
                             DELETE FROM bag WHERE ctid = (SELECT min(ctid) FROM bag); DELETE FROM keyed_by_time WHERE v = 'v9'");
    let differs = shop.validate(&[]);
    assert_eq!(differs.code, Some(3), "{}\n{}", differs.stdout, differs.stderr);
    assert!(differs.stdout.contains("different  id = 1: price, span, f8\n"), "{}", differs.stdout);
    let repaired = shop.validate(&["--repair"]);
    assert_eq!(repaired.code, Some(0), "{}\n{}", repaired.stdout, repaired.stderr);
    shop.assert_equal();
    shop.done("stop", &[]);
    assert_eq!(running.wait().code, Some(0));
    shop.done("finish", &[]);
    shop.assert_equal();
    let money = "SELECT string_agg(price::numeric::text, ' ' ORDER BY id) FROM values WHERE id < 20";
    assert_eq!(run_plain(&shop.source, money), run_plain(&shop.target, money));
}

#[test]
fn settings_of_both_databases_turned_round_change_nothing() {
    move_with(Owner::Database, 18);
}

#[test]
fn settings_of_the_role_in_both_databases_turned_round_change_nothing() {
    move_with(Owner::RoleInDatabase, 15);
}
