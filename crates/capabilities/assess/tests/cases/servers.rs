//! Versions, the log, capacity, privileges, what goes on.

use std::time::Duration;

use atalaya_assess::Status::{Fail, Pass, Warn};

use crate::support::Expect::Fires;
use crate::support::{As, Case, Kind, Login, case};

const PLAIN: As = As { source: Login::Plain, target: Login::Plain };

fn odd_source(case: Case) -> Case {
    Case { source: Kind::Odd, ..case }
}

super::cases! {
    a_target_older_than_the_source_is_refused: |name| Case {
        source: Kind::New,
        target: Kind::Old,
        ..case("server-versions", name, Fires(Fail, "older than the source"))
    };
    one_database_given_twice_is_refused: |name| Case {
        source: Kind::New,
        target: Kind::New,
        one_database: true,
        ..case("same-database", name, Fires(Fail, "this very database"))
    };
    a_standby_is_refused: |name| Case {
        source: Kind::Standby,
        source_sql: "",
        ..case("in-recovery", name, Fires(Fail, "standby"))
    };
    a_postfix_operator_stops_a_move_beyond_13: |name| Case {
        source_sql: "CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT 2 * $1';
                     CREATE OPERATOR !!! (LEFTARG = int, FUNCTION = twice)",
        ..case("removed-features", name, Fires(Fail, "postfix"))
    };
    an_aggregate_over_a_changed_array_function_stops_a_move_beyond_13: |name| Case {
        source_sql: "CREATE AGGREGATE gather(anyelement) (SFUNC = array_append, STYPE = anyarray, INITCOND = '{}')",
        ..case("removed-features", name, Fires(Fail, "gather"))
    };
    a_source_without_logical_wal_is_refused:
        |name| odd_source(case("source-wal-level", name, Fires(Fail, "wal_level = 'logical'")));
    a_target_without_logical_wal_has_no_way_back: |name| Case {
        target: Kind::Odd,
        ..case("target-wal-level", name, Fires(Warn, "replica"))
    };
    a_limit_of_retained_wal_is_named:
        |name| odd_source(case("wal-retention-limit", name, Fires(Warn, "1024 MB")));
    a_source_without_a_limit_of_retained_wal_is_told_of_it:
        |name| case("wal-retention-limit", name, Fires(Pass, "a run that died"));
    an_idle_timeout_of_slots_is_named:
        |name| odd_source(case("idle-slot-timeout", name, Fires(Warn, "idle_replication_slot_timeout")));
    a_short_sender_timeout_is_refused:
        |name| odd_source(case("wal-sender-timeout", name, Fires(Fail, "5000 ms")));
    little_decoding_memory_is_named:
        |name| odd_source(case("decoding-memory", name, Fires(Warn, "1024 kB")));
    a_role_that_cannot_see_pg_wal_is_told_so: |name| Case {
        login: PLAIN,
        ..case("wal-disk", name, Fires(Warn, "GRANT pg_monitor"))
    };
    taken_slots_stop_the_move:
        |name| odd_source(case("free-replication-slots", name, Fires(Fail, "0 of 1")));
    taken_senders_stop_the_move:
        |name| odd_source(case("free-wal-senders", name, Fires(Fail, "of 2")));
    a_small_connection_limit_is_named: |name| Case {
        source_sql: "CREATE TABLE t (id int PRIMARY KEY); ALTER DATABASE {db} CONNECTION LIMIT 5",
        ..case("free-connections", name, Fires(Warn, "limit of 5"))
    };
    more_tables_than_locks_stop_the_move: |name| odd_source(Case {
        source_sql: "DO $$ BEGIN FOR i IN 1..700 LOOP
                         EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY)', i);
                         COMMIT; END LOOP; END $$",
        ..case("lock-table", name, Fires(Fail, "max_locks_per_transaction"))
    });
    a_role_without_replication_is_refused: |name| Case {
        login: PLAIN,
        ..case("replication-privilege", name, Fires(Fail, "ALTER ROLE \"plain\" REPLICATION"))
    };
    a_refused_replication_connection_is_named: |name| Case {
        login: PLAIN,
        ..case("replication-connection", name, Fires(Fail, "refused"))
    };
    a_table_of_another_owner_cannot_be_published: |name| Case {
        login: PLAIN,
        ..case("publication-privilege", name, Fires(Fail, "public.t"))
    };
    a_column_that_may_not_be_read_is_named: |name| Case {
        login: PLAIN,
        source_sql: "CREATE TABLE t (id int PRIMARY KEY, secret int); GRANT SELECT (id) ON t TO plain",
        ..case("read-privilege", name, Fires(Fail, "may not read: secret"))
    };
    a_role_without_create_on_the_target_is_refused: |name| Case {
        login: PLAIN,
        ..case("target-privileges", name, Fires(Fail, "GRANT CREATE ON DATABASE"))
    };
    a_role_that_cannot_silence_triggers_is_named: |name| Case {
        login: As { source: Login::Superuser, target: Login::Shaped },
        ..case("replica-role", name, Fires(Warn, "GRANT SET ON PARAMETER session_replication_role"))
    };
    a_role_outside_pg_monitor_is_named: |name| Case {
        login: PLAIN,
        ..case("monitor-privilege", name, Fires(Warn, "plain"))
    };
    a_transaction_left_open_is_named: |name| Case {
        source: Kind::Busy,
        held_sql: "BEGIN; SELECT 1",
        plan: |plan| plan.options.long_transaction = Duration::ZERO,
        ..case("long-transactions", name, Fires(Warn, "idle in transaction"))
    };
    a_prepared_transaction_left_behind_is_refused: |name| Case {
        source: Kind::Busy,
        source_sql: "CREATE TABLE t (id int PRIMARY KEY);;
                     BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'left behind by {db}'",
        plan: |plan| plan.options.long_transaction = Duration::ZERO,
        ..case("prepared-transactions", name, Fires(Fail, "ROLLBACK PREPARED 'left behind by"))
    };
    another_slot_is_named: |name| Case {
        source: Kind::Busy,
        source_sql: "SELECT pg_create_physical_replication_slot('standby_of_somebody', true)",
        ..case("existing-slots", name, Fires(Warn, "inactive"))
    };
    a_subscription_is_named: |name| Case {
        source_sql: "CREATE SUBSCRIPTION feed CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false)",
        ..case("subscriptions", name, Fires(Warn, "feed"))
    };
    a_publication_of_the_source_is_named: |name| Case {
        source_sql: "CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION feed FOR ALL TABLES",
        ..case("publications", name, Fires(Warn, "feed"))
    };
    another_replication_system_is_named: |name| Case {
        source_sql: "CREATE SCHEMA pglogical",
        ..case("other-replication", name, Fires(Warn, "pglogical"))
    };
    traces_of_an_earlier_migration_are_named: |name| Case {
        target_sql: "CREATE SCHEMA atalaya",
        ..case("earlier-migration", name, Fires(Warn, "atalaya"))
    };
    an_event_trigger_of_an_earlier_migration_is_named: |name| Case {
        source_sql: "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
                     CREATE EVENT TRIGGER atalaya_shop_end ON ddl_command_end EXECUTE FUNCTION f()",
        ..case("earlier-migration", name, Fires(Warn, "atalaya_shop_end"))
    };
    a_read_only_target_is_named: |name| Case {
        target_sql: "ALTER DATABASE {db} SET default_transaction_read_only = on",
        ..case("default-read-only", name, Fires(Warn, "RESET default_transaction_read_only"))
    };
}
