//! Triggers, rules, indexes, constraints, extensions, and objects that act on their own.

use atalaya_assess::Status::{Fail, Pass, Warn};

use crate::support::Expect::{Fires, Quiet};
use crate::support::{As, Case, Kind, Login, case};

const TRIGGER: &str = "CREATE TABLE t (id int PRIMARY KEY);
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER audit BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();
    ALTER TABLE t ENABLE ALWAYS TRIGGER audit";

super::cases! {
    a_trigger_that_always_fires_on_an_existing_target_is_named: |name| Case {
        target_sql: TRIGGER,
        plan: |plan| plan.options.existing_schema = true,
        ..case("always-triggers", name, Fires(Warn, "trigger `audit` (ENABLE ALWAYS) would act on rows of the move: off from"))
    };
    a_rule_of_a_target_that_the_role_does_not_own_is_refused: |name| Case {
        login: As { source: Login::Superuser, target: Login::Shaped },
        target_sql: "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE RULE hush AS ON DELETE TO t DO INSTEAD NOTHING; GRANT ALL ON t TO shaped",
        plan: |plan| plan.options.existing_schema = true,
        ..case("always-triggers", name, Fires(Fail, "DISABLE RULE \"hush\""))
    };
    triggers_of_an_existing_target_that_no_row_of_the_move_wakes_are_left: |name| Case {
        target_sql: "CREATE TABLE t (id int PRIMARY KEY, v int UNIQUE DEFERRABLE);
                     CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
                     CREATE TRIGGER audit BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        plan: |plan| plan.options.existing_schema = true,
        ..case("always-triggers", name, Quiet)
    };
    an_event_trigger_is_named: |name| Case {
        source_sql: "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
                     CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION f();
                     ALTER EVENT TRIGGER watch ENABLE ALWAYS",
        ..case("event-triggers", name, Fires(Warn, "ENABLE ALWAYS"))
    };
    an_event_trigger_of_a_migration_is_not_the_applications: |name| Case {
        source_sql: "CREATE SCHEMA atalaya; CREATE FUNCTION atalaya.f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
                     CREATE EVENT TRIGGER atalaya_shop_end ON ddl_command_end EXECUTE FUNCTION atalaya.f();
                     ALTER EVENT TRIGGER atalaya_shop_end ENABLE ALWAYS",
        ..case("event-triggers", name, Quiet)
    };
    a_rewrite_rule_is_named: |name| Case {
        source_sql: "CREATE TABLE t (id int PRIMARY KEY); CREATE RULE hush AS ON DELETE TO t DO INSTEAD NOTHING",
        ..case("rules", name, Fires(Warn, "hush"))
    };
    a_foreign_key_out_of_the_selection_is_refused: |name| Case {
        source_sql: "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY REFERENCES a)",
        plan: |plan| plan.tables = Box::new(|table| table.name == "b"),
        ..case("foreign-keys-outside", name, Fires(Fail, "b_id_fkey"))
    };
    an_invalid_index_is_named: |name| Case {
        source_sql: "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE INDEX half ON t (v);
                     UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half'::regclass",
        ..case("invalid-indexes", name, Fires(Warn, "REINDEX INDEX CONCURRENTLY \"public\".\"half\""))
    };
    a_constraint_not_validated_is_named: |name| Case {
        source_sql: "CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0) NOT VALID",
        ..case("unvalidated-constraints", name, Fires(Warn, "VALIDATE CONSTRAINT \"c\""))
    };
    a_second_unique_index_is_information: |name| Case {
        source_sql: "CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE)",
        ..case("secondary-unique-indexes", name, Fires(Pass, "1 unique"))
    };
    scheduled_jobs_are_named: |name| Case {
        source_sql: "CREATE SCHEMA cron; CREATE TABLE cron.job (id int PRIMARY KEY)",
        ..case("scheduled-jobs", name, Fires(Warn, "cron.job"))
    };
    a_foreign_server_is_named: |name| Case {
        source_sql: "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER far FOREIGN DATA WRAPPER w;
                     CREATE USER MAPPING FOR plain SERVER far",
        ..case("foreign-data", name, Fires(Warn, "1 user mappings"))
    };
    a_function_in_c_is_refused: |name| Case {
        source_sql: "CREATE FUNCTION f() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler'",
        ..case("c-functions", name, Fires(Fail, "plpgsql"))
    };
    an_aggregate_and_a_range_type_are_no_functions_in_c: |name| Case {
        source_sql: "CREATE AGGREGATE longest(text) (SFUNC = textcat, STYPE = text); CREATE TYPE span AS RANGE (subtype = float8)",
        ..case("c-functions", name, Quiet)
    };
    an_extension_that_the_target_lacks_is_refused: |name| Case {
        source_sql: "CREATE EXTENSION adminpack",
        ..case("extensions-available", name, Fires(Fail, "adminpack"))
    };
    an_older_extension_on_the_target_is_refused: |name| Case {
        source: Kind::New,
        source_sql: "CREATE EXTENSION hstore",
        target_sql: "CREATE EXTENSION hstore VERSION '1.4'",
        ..case("extension-versions", name, Fires(Fail, "the older 1.4"))
    };
    a_later_extension_on_the_target_is_named: |name| Case {
        source_sql: "CREATE EXTENSION hstore VERSION '1.4'",
        ..case("extension-versions", name, Fires(Warn, "the later"))
    };
    the_same_extension_on_both_is_not_named: |name| Case {
        source: Kind::New,
        source_sql: "CREATE EXTENSION hstore",
        ..case("extension-versions", name, Quiet)
    };
}
