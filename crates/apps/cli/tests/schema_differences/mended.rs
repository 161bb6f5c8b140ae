//! Every kind of difference is named, and the printed script puts it right.

use std::process::Command;

use atalaya_sandbox::{Server, client_tools};

use super::{lines, report};
use crate::schema::{ROLES, SCHEMA};
use crate::support::{Move, ran};

/// What is done to the target, and how it is named.
const BROKEN: &[(&str, &[&str])] = &[
    (
        "ALTER TABLE app.person DISABLE TRIGGER t_always",
        &["trigger | t_always on app.person | different | fires | data"],
    ),
    ("DROP TRIGGER t_off ON app.person", &["trigger | t_off on app.person | missing | - | data"]),
    (
        "ALTER TABLE ONLY app.tree_1_all ENABLE TRIGGER t_tree_2; ALTER TABLE ONLY app.tree_rest DISABLE TRIGGER t_tree_2",
        &["trigger | t_tree_2 on app.tree | different | fires in partitions | data"],
    ),
    (
        "DROP TRIGGER t_tree ON app.tree; CREATE TRIGGER t_tree BEFORE INSERT ON app.tree FOR EACH ROW EXECUTE FUNCTION app.nothing()",
        &["trigger | t_tree on app.tree | different | definition | data"],
    ),
    (
        "CREATE TRIGGER theirs BEFORE INSERT ON app.tree FOR EACH ROW EXECUTE FUNCTION app.nothing()",
        &["trigger | theirs on app.tree | extra | - | data"],
    ),
    ("ALTER TABLE app.person DROP CONSTRAINT adult", &["constraint | adult on app.person | missing | - | data"]),
    (
        "ALTER TABLE app.person DROP CONSTRAINT person_boss_fkey; ALTER TABLE app.person ADD CONSTRAINT person_boss_fkey FOREIGN KEY (boss) REFERENCES app.person NOT VALID",
        &["constraint | person_boss_fkey on app.person | different | validated | data"],
    ),
    (
        "ALTER TABLE app.booking DROP CONSTRAINT by_person; ALTER TABLE app.booking ADD CONSTRAINT by_person FOREIGN KEY (person) REFERENCES app.person",
        &["constraint | by_person on app.booking | different | definition | data"],
    ),
    (
        "ALTER TABLE app.loose ADD CONSTRAINT theirs CHECK (id > -5)",
        &["constraint | theirs on app.loose | extra | - | data"],
    ),
    (
        "ALTER DOMAIN app.positive DROP CONSTRAINT positive_check",
        &["constraint | positive_check on app.positive | missing | - | data"],
    ),
    (
        "DROP INDEX app.person_lower; CREATE INDEX person_lower ON app.person (name)",
        &["index | app.person_lower on app.person | different | definition | performance"],
    ),
    ("DROP INDEX app.tree_at", &["index | app.tree_at on app.tree | missing | - | performance"]),
    (
        "DROP INDEX app.person_name; CREATE INDEX person_name ON app.person (name)",
        &["index | app.person_name on app.person | different | unique | data"],
    ),
    (
        "UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = 'app.person_path'::regclass",
        &["index | app.person_path on app.person | different | valid | performance"],
    ),
    ("CREATE INDEX theirs ON app.loose (id)", &["index | app.theirs on app.loose | extra | - | performance"]),
    (
        "ALTER TABLE app.booking ALTER during DROP NOT NULL",
        &["column | app.booking.during | different | not null | data"],
    ),
    (
        "ALTER TABLE app.person ALTER note SET STORAGE MAIN",
        &["column | app.person.note | different | storage | performance"],
    ),
    ("ALTER TABLE app.person ALTER age SET DEFAULT 20", &["column | app.person.age | different | default | data"]),
    ("ALTER TABLE app.child ALTER extra TYPE bigint", &["column | app.child.extra | different | type | data"]),
    (
        "ALTER TABLE app.person ALTER id SET GENERATED ALWAYS",
        &["column | app.person.id | different | kind of identity | behaviour"],
    ),
    (
        "ALTER TABLE app.person ALTER name SET STATISTICS -1",
        &["column | app.person.name | different | statistics target | performance"],
    ),
    ("ALTER TABLE app.booking ADD extra int", &["column | app.booking.extra | extra | - | data"]),
    ("ALTER TABLE app.loose DROP COLUMN person CASCADE", &["column | app.loose.person | missing | - | data"]),
    (
        "ALTER TABLE app.person ALTER note RESET (n_distinct), SET (fillfactor = 80)",
        &[
            "storage option | n_distinct of table app.person ALTER COLUMN note | missing | - | performance",
            "storage option | fillfactor of table app.person | different | value | performance",
        ],
    ),
    ("COMMENT ON TABLE app.person IS 'others'", &["table | app.person | different | comment | cosmetic"]),
    ("ALTER TABLE app.loose OWNER TO keeper", &["table | app.loose | different | owner | behaviour"]),
    (
        "ALTER TABLE app.booking REPLICA IDENTITY DEFAULT",
        &["table | app.booking | different | replica identity | data"],
    ),
    ("ALTER TABLE app.booking DISABLE ROW LEVEL SECURITY", &["table | app.booking | different | row security | data"]),
    (
        "ALTER TABLE app.loose NO FORCE ROW LEVEL SECURITY",
        &["table | app.loose | different | row security forced | data"],
    ),
    (
        "DELETE FROM pg_catalog.pg_statistic WHERE starelid = 'app.person'::regclass",
        &["table | app.person | different | statistics | performance"],
    ),
    ("CREATE TABLE app.stranger (id int PRIMARY KEY, n text)", &["table | app.stranger | extra | - | data"]),
    (
        "GRANT INSERT ON app.loose TO reader",
        &["privilege | INSERT on table app.loose to reader | extra | - | behaviour"],
    ),
    (
        "REVOKE SELECT (id) ON app.person FROM keeper",
        &["privilege | SELECT on column app.person.id to keeper | missing | - | behaviour"],
    ),
    (
        "REVOKE GRANT OPTION FOR UPDATE (note) ON app.person FROM keeper",
        &["privilege | UPDATE on column app.person.note to keeper | different | grant option | behaviour"],
    ),
    (
        "GRANT EXECUTE ON FUNCTION app.label(text) TO PUBLIC",
        &["privilege | EXECUTE on function app.label(text) to PUBLIC | extra | - | behaviour"],
    ),
    (
        "ALTER DEFAULT PRIVILEGES IN SCHEMA app REVOKE SELECT ON TABLES FROM reader",
        &["default privilege | SELECT on tables in schema app made by postgres to reader | missing | - | behaviour"],
    ),
    (
        "ALTER FUNCTION app.nothing() SECURITY DEFINER SET search_path = app",
        &["function | app.nothing() | different | definition | behaviour"],
    ),
    (
        "CREATE FUNCTION app.theirs() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        &["function | app.theirs() | extra | - | behaviour"],
    ),
    (
        "CREATE OR REPLACE VIEW app.adults WITH (security_barrier) AS SELECT id, name FROM app.person WHERE age >= 17 WITH LOCAL CHECK OPTION",
        &["view | app.adults | different | query | behaviour"],
    ),
    (
        "ALTER VIEW app.plain_view RESET (security_barrier)",
        &["view | app.plain_view | different | options | behaviour"],
    ),
    ("DROP MATERIALIZED VIEW app.on_filled", &["materialized view | app.on_filled | missing | - | behaviour"]),
    (
        "REFRESH MATERIALIZED VIEW app.filled WITH NO DATA",
        &["materialized view | app.filled | different | filled | data"],
    ),
    ("DROP POLICY own ON app.booking", &["policy | own on app.booking | missing | - | data"]),
    ("ALTER POLICY few ON app.loose USING (id < 100)", &["policy | few on app.loose | different | definition | data"]),
    ("DROP RULE keep_2 ON app.parent", &["rule | keep_2 on app.parent | missing | - | data"]),
    ("ALTER TABLE app.loose ENABLE RULE keep", &["rule | keep on app.loose | different | fires | data"]),
    (
        "ALTER SEQUENCE app.spare INCREMENT 7 CACHE 9 OWNED BY NONE",
        &[
            "sequence | app.spare | different | increment | data",
            "sequence | app.spare | different | cache | performance",
            "sequence | app.spare | different | owned by | behaviour",
        ],
    ),
    ("DROP SEQUENCE app.alone", &["sequence | app.alone | missing | - | data"]),
    (
        "ALTER TABLE app.tree DETACH PARTITION app.tree_rest",
        &["partition | app.tree_rest of app.tree | missing | - | data"],
    ),
    ("ALTER TABLE app.child NO INHERIT app.parent", &["inheritance | app.child of app.parent | missing | - | data"]),
    ("DROP STATISTICS app.person_stats", &["statistics | app.person_stats | missing | - | performance"]),
    ("DROP EXTENSION pg_trgm CASCADE", &["extension | pg_trgm | missing | - | behaviour"]),
    (
        "ALTER TYPE app.mood RENAME VALUE 'so so' TO 'lala'",
        &[
            "enum label | 'so so' of app.mood | missing | - | data",
            "enum label | 'lala' of app.mood | extra | - | data",
        ],
    ),
    ("DROP TYPE app.unused", &["type | app.unused | missing | - | data"]),
    ("ALTER DOMAIN app.spare_domain SET DEFAULT 8", &["type | app.spare_domain | different | default | behaviour"]),
    (
        "DROP OPERATOR app.===(int, int)",
        &["other object | operator app.===(integer,integer) | missing | - | behaviour"],
    ),
    ("COMMENT ON SCHEMA app IS NULL", &["schema | app | different | comment | cosmetic"]),
];

/// What [`SCHEMA`] has not.
const MORE: &str = "
    CREATE TYPE app.mood AS ENUM ('bad', 'so so', 'good'); CREATE TYPE app.unused AS ENUM ('a', 'b', 'c');
    CREATE DOMAIN app.spare_domain AS int DEFAULT 7;
    CREATE OPERATOR app.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = pg_catalog.int4eq);
    CREATE SEQUENCE app.spare OWNED BY app.loose.id; COMMENT ON SCHEMA app IS 'the application';
    CREATE VIEW app.plain_view WITH (security_barrier) AS SELECT 1 AS one;
    ANALYZE app.person";

/// What no script puts right; each says why.
const BY_HAND: &[&str] = &[
    "enum label | 'lala' of app.mood | extra | - | data",
    "other object | operator app.===(integer,integer) | missing | - | behaviour",
];

/// What a script only does when somebody takes away the dashes.
const DESTROYING: &[&str] =
    &["column | app.booking.extra | extra | - | data", "table | app.stranger | extra | - | data"];

/// Runs a script by psql, as it is printed.
fn psql(server: &Server, url: &str, script: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), script).unwrap();
    let program = client_tools(server.version()).unwrap().join("psql");
    let done = ran(Command::new(program).args(["--no-psqlrc", "--quiet", "--dbname", url, "--file"]).arg(file.path()));
    assert_eq!(done.code, Some(0), "{}\n{script}", done.stderr);
    assert!(!done.stderr.contains("ERROR"), "{}\n{script}", done.stderr);
}

fn everything_is_named_and_mended(from: u16, to: u16) {
    let shop = Move::between(from, to);
    for server in [&shop.source, &shop.target] {
        server.run_sql("shop", ROLES).unwrap();
    }
    shop.source.run_sql("shop", SCHEMA).unwrap();
    shop.source.run_sql("shop", MORE).unwrap();
    shop.done("start", &["--stop-when", "caught-up"]);
    shop.done("finish", &[]);
    assert_eq!(report(&shop, &[]).0.code, Some(0));
    for (sql, _) in BROKEN {
        shop.target
            .run_sql("shop", &format!("SET allow_system_table_mods = on; SET client_min_messages = error; {sql}"))
            .unwrap();
    }
    let (broken, found) = report(&shop, &[]);
    assert_eq!(broken.code, Some(3));
    let found = lines(&found["differences"]);
    for (sql, expected) in BROKEN {
        for line in *expected {
            assert!(found.iter().any(|found| found == line), "{sql}: {line}: {found:#?}");
        }
    }
    let script = shop.validate(&["--schema", "--sql"]);
    assert_eq!(script.code, Some(3));
    psql(&shop.target, &shop.target_url, &script.stdout);
    let (_, left) = report(&shop, &[]);
    let mut left_lines = lines(&left["differences"]);
    left_lines.sort();
    let mut expected = [BY_HAND, DESTROYING].concat();
    expected.sort_unstable();
    assert_eq!(left_lines, expected, "{}", script.stdout);
    for each in left["differences"].as_array().unwrap() {
        assert!(each["note"].is_string(), "{each}");
    }
    let script = shop.validate(&["--schema", "--sql"]).stdout;
    psql(
        &shop.target,
        &shop.target_url,
        &script.replace("-- ALTER TABLE", "ALTER TABLE").replace("-- DROP TABLE", "DROP TABLE"),
    );
    let (_, left) = report(&shop, &[]);
    let mut left_lines = lines(&left["differences"]);
    left_lines.sort();
    assert_eq!(left_lines, BY_HAND);
    let text = shop.validate(&["--schema"]);
    assert!(text.stdout.contains("DATA        enum label 'lala' of app.mood is on the target only"), "{}", text.stdout);
    assert!(text.stdout.ends_with("DIFFERENT\n"), "{}", text.stdout);
}

#[test]
fn from_13_to_18_every_kind_of_difference_is_named_and_mended_by_its_script() {
    everything_is_named_and_mended(13, 18);
}

#[test]
fn from_15_to_17_every_kind_of_difference_is_named_and_mended_by_its_script() {
    everything_is_named_and_mended(15, 17);
}
