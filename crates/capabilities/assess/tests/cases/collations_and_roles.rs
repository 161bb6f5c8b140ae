//! Encodings, collations, roles, settings, tablespaces.

use atalaya_assess::Status::{Fail, Warn};

use crate::support::Expect::{Fires, Quiet};
use crate::support::{Case, Kind, case};

super::cases! {
    bytes_of_unknown_encoding_are_refused: |name| Case {
        source_options: "ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0",
        ..case("encoding", name, Fires(Fail, "SQL_ASCII on the source"))
    };
    text_that_is_converted_is_named: |name| Case {
        source_options: "ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
        ..case("encoding", name, Fires(Warn, "converted"))
    };
    another_locale_is_named: |name| Case {
        source_options: "LOCALE 'en_US.utf8' TEMPLATE template0",
        ..case("database-locale", name, Fires(Warn, "en_us.utf8"))
    };
    a_collation_that_the_target_lacks_is_refused: |name| Case {
        source_sql: r#"CREATE TABLE t (id int PRIMARY KEY, v text COLLATE "de_DE")"#,
        target_sql: "DELETE FROM pg_collation WHERE collname = 'de_DE'",
        ..case("collations-missing", name, Fires(Fail, "de_DE"))
    };
    another_order_of_the_databases_is_named: |name| Case {
        source_options: "LOCALE 'en_US.utf8' TEMPLATE template0",
        ..case("collation-order", name, Fires(Warn, "own collation"))
    };
    another_order_of_one_collation_is_named: |name| Case {
        source_sql: "CREATE COLLATION house (LOCALE = 'en_US.utf8');
                     CREATE TABLE t (id int PRIMARY KEY, v text COLLATE house)",
        target_sql: "CREATE COLLATION house (LOCALE = 'C')",
        ..case("collation-order", name, Fires(Warn, "public.house"))
    };
    a_collation_at_another_version_is_named: |name| Case {
        source_sql: "CREATE COLLATION aged (LOCALE = 'en_US.utf8', VERSION = '1.0');
                     CREATE TABLE t (id int PRIMARY KEY, v text COLLATE aged)",
        ..case("collation-versions", name, Fires(Warn, "REFRESH VERSION"))
    };
    a_nondeterministic_collation_is_named: |name| Case {
        source_sql: "CREATE COLLATION loose (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false);
                     CREATE TABLE t (id int PRIMARY KEY, v text COLLATE loose)",
        ..case("nondeterministic-collations", name, Fires(Warn, "v"))
    };
    a_role_that_the_target_lacks_is_refused: |name| Case {
        source_sql: "CREATE TABLE t (id int PRIMARY KEY); DROP ROLE IF EXISTS only_here; CREATE ROLE only_here LOGIN;
                     GRANT SELECT ON t TO only_here",
        ..case("roles-missing", name, Fires(Fail, "CREATE ROLE \"only_here\" LOGIN;"))
    };
    a_role_that_made_another_moves_event_trigger_is_not_missed: |name| Case {
        source_sql: "DROP ROLE IF EXISTS mover; CREATE ROLE mover SUPERUSER; CREATE SCHEMA atalaya AUTHORIZATION mover;
                     CREATE FUNCTION atalaya.f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
                     ALTER FUNCTION atalaya.f() OWNER TO mover;
                     CREATE EVENT TRIGGER atalaya_shop_end ON ddl_command_end EXECUTE FUNCTION atalaya.f();
                     ALTER EVENT TRIGGER atalaya_shop_end OWNER TO mover;
                     CREATE PUBLICATION p; ALTER PUBLICATION p OWNER TO mover",
        ..case("roles-missing", name, Quiet)
    };
    a_membership_that_the_target_lacks_is_named: |name| Case {
        source_sql: "CREATE TABLE t (id int PRIMARY KEY); DROP ROLE IF EXISTS crew, sailor; CREATE ROLE crew;
                     CREATE ROLE sailor; GRANT crew TO sailor; GRANT SELECT ON t TO sailor",
        target_sql: "DROP ROLE IF EXISTS crew, sailor; CREATE ROLE crew; CREATE ROLE sailor",
        ..case("role-memberships", name, Fires(Warn, "GRANT \"crew\" TO \"sailor\";"))
    };
    a_setting_of_the_database_is_listed_as_sql: |name| Case {
        source_sql: "ALTER DATABASE {db} SET work_mem = '9MB'",
        ..case("settings-not-moved", name,
            Fires(Warn, "ALTER DATABASE \"t_a_setting_of_the_database_is_listed_as_sql\" SET work_mem = '9MB';"))
    };
    a_tablespace_that_the_target_lacks_is_named: |name| Case {
        source: Kind::New,
        target: Kind::Odd,
        source_sql: "SET allow_in_place_tablespaces = on;; DROP TABLESPACE IF EXISTS fast;;
                     CREATE TABLESPACE fast LOCATION '';;
                     CREATE TABLE t (id int PRIMARY KEY) TABLESPACE fast",
        ..case("tablespaces", name, Fires(Warn, "fast"))
    };
}
