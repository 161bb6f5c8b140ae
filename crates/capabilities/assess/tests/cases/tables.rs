//! Tables, their identities, and the target's.

use atalaya_assess::LargeObjects;
use atalaya_assess::Status::{Fail, Pass, Warn};
use atalaya_estate::ConflictRules;

use crate::support::Expect::{Fires, Quiet};
use crate::support::{As, Case, Kind, Login, case};

fn rules(text: &str) -> ConflictRules {
    ConflictRules::new(vec![text.parse().unwrap()])
}

super::cases! {
    a_selection_of_nothing_is_refused: |name| Case {
        plan: |plan| plan.tables = Box::new(|_| false),
        ..case("tables-selected", name, Fires(Fail, "no table"))
    };
    partitions_move_with_their_root: |name| Case {
        source_sql: "CREATE TABLE tree (id int PRIMARY KEY) PARTITION BY RANGE (id);
                     CREATE TABLE leaf PARTITION OF tree FOR VALUES FROM (0) TO (10)",
        plan: |plan| plan.tables = Box::new(|table| table.name == "tree"),
        ..case("tables-selected", name, Fires(Pass, "1 tables"))
    };
    an_heir_without_its_parent_is_refused: |name| Case {
        source_sql: "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE heir (PRIMARY KEY (id)) INHERITS (parent)",
        plan: |plan| plan.tables = Box::new(|table| table.name == "heir"),
        ..case("inheritance-trees", name, Fires(Fail, "public.parent"))
    };
    an_unlogged_table_is_refused: |name| Case {
        source_sql: "CREATE UNLOGGED TABLE t (id int PRIMARY KEY)",
        ..case("unlogged-tables", name, Fires(Fail, "SET LOGGED"))
    };
    a_foreign_table_is_named: |name| Case {
        source_sql: "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
                     CREATE FOREIGN TABLE away (id int) SERVER s",
        ..case("foreign-tables", name, Fires(Warn, "public.away"))
    };
    a_table_without_a_column_is_refused: |name| Case {
        source_sql: "CREATE TABLE t ()",
        ..case("columnless-tables", name, Fires(Fail, "public.t"))
    };
    a_column_generated_by_a_function_of_ones_own_is_named: |name| Case {
        source_sql: "CREATE FUNCTION twice(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 2 * $1';
                     CREATE TABLE t (id int PRIMARY KEY, d int GENERATED ALWAYS AS (twice(id)) STORED)",
        ..case("generated-columns", name, Fires(Warn, "d calls twice"))
    };
    large_objects_are_refused: |name| Case {
        source_sql: "SELECT lo_create(0)",
        ..case("large-objects", name, Fires(Fail, "1 large objects"))
    };
    large_objects_left_behind_on_purpose_are_information: |name| Case {
        source_sql: "SELECT lo_create(0)",
        plan: |plan| plan.options.large_objects = LargeObjects::Left,
        ..case("large-objects", name, Fires(Pass, "on purpose"))
    };
    an_oid_column_may_refer_to_large_objects: |name| Case {
        source_sql: "CREATE TABLE t (id int PRIMARY KEY, photo oid)",
        ..case("large-object-columns", name, Fires(Warn, "photo oid"))
    };
    names_that_differ_by_case_are_named: |name| Case {
        source_sql: r#"CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE "T" (id int PRIMARY KEY, "Id" int)"#,
        ..case("similar-names", name, Fires(Warn, "`public.\"T\"`"))
    };
    values_that_point_into_the_server_are_named: |name| Case {
        source_sql: "CREATE TABLE t (id int PRIMARY KEY, rel regclass, seen pg_lsn[])",
        ..case("column-types", name, Fires(Warn, "rel regclass"))
    };
    postgis_columns_are_named: |name| Case {
        source_sql: "CREATE TYPE geometry AS (x float8, y float8); CREATE TABLE t (id int PRIMARY KEY, place geometry)",
        ..case("postgis", name, Fires(Warn, "place"))
    };
    policies_that_bind_the_role_are_refused: |name| Case {
        login: As { source: Login::Shaped, target: Login::Shaped },
        source_sql: "CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t OWNER TO shaped;
                     ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        ..case("row-security", name, Fires(Fail, "BYPASSRLS"))
    };
    policies_that_do_not_bind_the_owner_are_information: |name| Case {
        login: As { source: Login::Shaped, target: Login::Shaped },
        source_sql: "CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t OWNER TO shaped;
                     ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        ..case("row-security", name, Fires(Pass, "not bound"))
    };
    policies_of_an_existing_target_that_bind_the_role_are_refused: |name| Case {
        login: As { source: Login::Superuser, target: Login::Shaped },
        target_sql: "CREATE TABLE t (id int PRIMARY KEY, v int); ALTER TABLE t OWNER TO shaped;
                     ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        plan: |plan| plan.options.existing_schema = true,
        ..case("row-security", name, Fires(Fail, "policies apply to role `shaped` on the target"))
    };
    policies_of_an_existing_target_that_do_not_bind_its_owner_are_taken: |name| Case {
        login: As { source: Login::Superuser, target: Login::Shaped },
        source_sql: "CREATE TABLE t (id int PRIMARY KEY, v int)",
        target_sql: "CREATE TABLE t (id int PRIMARY KEY, v int); ALTER TABLE t OWNER TO shaped;
                     ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        plan: |plan| plan.options.existing_schema = true,
        ..case("row-security", name, Quiet)
    };
    a_materialized_view_is_named: |name| Case {
        source_sql: "CREATE MATERIALIZED VIEW m AS SELECT 1 AS one",
        ..case("materialized-views", name, Fires(Warn, "REFRESH MATERIALIZED VIEW"))
    };
    a_table_without_identity_is_refused_with_the_exact_statement: |name| Case {
        source_sql: "CREATE TABLE t (id int, u int NOT NULL UNIQUE)",
        ..case("replica-identity", name,
            Fires(Fail, "ALTER TABLE \"public\".\"t\" REPLICA IDENTITY USING INDEX \"t_u_key\";"))
    };
    a_table_without_any_key_would_be_followed_by_whole_rows: |name| Case {
        source_sql: "CREATE TABLE t (id int)",
        ..case("replica-identity", name, Fires(Fail, "REPLICA IDENTITY FULL"))
    };
    a_deferrable_primary_key_identifies_no_row: |name| Case {
        source_sql: "CREATE TABLE t (id int PRIMARY KEY DEFERRABLE)",
        ..case("replica-identity", name, Fires(Fail, "deferrable"))
    };
    a_dropped_identity_index_identifies_no_row: |name| Case {
        source_sql: "CREATE TABLE t (id int PRIMARY KEY, u int NOT NULL);
                     CREATE UNIQUE INDEX gone ON t (u); ALTER TABLE t REPLICA IDENTITY USING INDEX gone;
                     DROP INDEX gone",
        ..case("replica-identity", name, Fires(Fail, "REPLICA IDENTITY DEFAULT"))
    };
    a_table_declared_append_only_needs_no_identity: |name| Case {
        source_sql: "CREATE TABLE t (id int)",
        plan: |plan| plan.options.append_only = Box::new(|_| true),
        ..case("replica-identity", name, Quiet)
    };
    an_excluded_table_needs_no_identity: |name| Case {
        source_sql: "CREATE TABLE t (id int); CREATE TABLE u (id int PRIMARY KEY)",
        plan: |plan| plan.tables = Box::new(|table| table.name == "u"),
        ..case("replica-identity", name, Quiet)
    };
    an_update_of_an_append_only_table_is_named: |name| Case {
        source: Kind::New,
        source_sql: "CREATE TABLE t (id int); INSERT INTO t VALUES (1); UPDATE t SET id = 2;;
                     SELECT pg_stat_force_next_flush();; SELECT 1",
        plan: |plan| plan.options.append_only = Box::new(|_| true),
        ..case("append-only", name, Fires(Warn, "1 rows updated"))
    };
    inserts_alone_leave_an_append_only_table_in_peace: |name| Case {
        source: Kind::New,
        source_sql: "CREATE TABLE t (id int); INSERT INTO t VALUES (1);; SELECT pg_stat_force_next_flush();; SELECT 1",
        plan: |plan| plan.options.append_only = Box::new(|_| true),
        ..case("append-only", name, Quiet)
    };
    a_large_table_followed_by_whole_rows_is_named: |name| Case {
        source_sql: "CREATE TABLE t (v text); ALTER TABLE t ALTER v SET STORAGE EXTERNAL;
                     ALTER TABLE t REPLICA IDENTITY FULL;
                     INSERT INTO t SELECT repeat('x', 800000) FROM generate_series(1, 90)",
        ..case("full-identity-cost", name, Fires(Warn, "public.t"))
    };
    whole_rows_with_types_without_equality_are_named: |name| Case {
        source_sql: "CREATE DOMAIN doc AS json; CREATE TABLE t (id int, v varchar, j doc, p point[]);
                     ALTER TABLE t REPLICA IDENTITY FULL",
        ..case("full-identity-types", name, Fires(Warn, "j json, p point"))
    };
    whole_rows_of_common_types_are_not_named: |name| Case {
        source_sql: "CREATE TYPE mood AS ENUM ('a'); CREATE TYPE pair AS (a int, b int);
                     CREATE TABLE t (a int, b varchar(3)[], c mood, d numeric, e jsonb, f int4range, g bytea, h pair,
                                     i char(3), j inet, k uuid, l timetz, m interval, n bit(3), o cidr, p money,
                                     q tsvector, r name, s macaddr, t varbit, u \"char\");
                     ALTER TABLE t REPLICA IDENTITY FULL",
        ..case("full-identity-types", name, Quiet)
    };
    full_identity_with_a_generated_column_is_refused_on_18: |name| Case {
        source: Kind::New,
        source_sql: "CREATE TABLE t (id int, d int GENERATED ALWAYS AS (id * 2) STORED);
                     ALTER TABLE t REPLICA IDENTITY FULL",
        ..case("identity-generated", name, Fires(Fail, "would refuse"))
    };
    full_identity_with_a_generated_column_is_fine_on_13: |name| Case {
        source_sql: "CREATE TABLE t (id int, d int GENERATED ALWAYS AS (id * 2) STORED);
                     ALTER TABLE t REPLICA IDENTITY FULL",
        ..case("identity-generated", name, Quiet)
    };
    a_generated_column_in_the_key_is_refused_on_any_version: |name| Case {
        source_sql: "CREATE TABLE t (id int NOT NULL UNIQUE, d int GENERATED ALWAYS AS (id * 2) STORED PRIMARY KEY)",
        ..case("identity-generated", name, Fires(Fail, "USING INDEX \"t_id_key\""))
    };
    a_table_without_a_key_is_named: |name| Case {
        source_sql: "CREATE TABLE t (id int); ALTER TABLE t REPLICA IDENTITY FULL",
        ..case("keyless-tables", name, Fires(Warn, "public.t"))
    };
    arrays_in_a_table_without_a_key_are_named: |name| Case {
        source_sql: "CREATE TABLE t (id int, tags text[]); ALTER TABLE t REPLICA IDENTITY FULL",
        ..case("arrays-without-key", name, Fires(Warn, "tags"))
    };
    keys_whose_equal_values_may_differ_are_information: |name| Case {
        source_sql: "CREATE TABLE t (id numeric PRIMARY KEY)",
        ..case("key-types", name, Fires(Pass, "id numeric"))
    };
    keys_of_large_values_are_named: |name| Case {
        source_sql: "CREATE TABLE t (id bytea PRIMARY KEY)",
        ..case("large-keys", name, Fires(Warn, "id bytea"))
    };
    a_publication_of_everything_on_the_target_would_refuse_changes: |name| Case {
        source_sql: "CREATE TABLE t (id int)",
        target_sql: "CREATE PUBLICATION feed FOR ALL TABLES",
        ..case("publication-safety", name, Fires(Fail, "DROP PUBLICATION \"feed\""))
    };
    a_published_table_without_identity_is_named: |name| Case {
        source_sql: "CREATE TABLE t (id int); CREATE PUBLICATION feed FOR TABLE t",
        ..case("publication-safety", name, Fires(Warn, "public.t"))
    };
    a_target_with_tables_is_refused: |name| Case {
        target_sql: "CREATE TABLE old (id int)",
        ..case("target-empty", name, Fires(Fail, "public.old"))
    };
    a_target_with_a_type_is_refused: |name| Case {
        target_sql: "CREATE TYPE mood AS ENUM ('a')",
        ..case("target-empty", name, Fires(Fail, "type public.mood"))
    };
    an_extension_alone_leaves_a_target_empty: |name| Case {
        target_sql: "CREATE EXTENSION hstore; CREATE EXTENSION pg_stat_statements",
        ..case("target-empty", name, Quiet)
    };
    an_existing_schema_that_lacks_a_column_is_refused: |name| Case {
        target_sql: "CREATE TABLE t (id int PRIMARY KEY)",
        plan: |plan| plan.options.existing_schema = true,
        ..case("target-schema", name, Fires(Fail, "ADD COLUMN \"v\" integer"))
    };
    an_existing_schema_that_is_equal_is_taken: |name| Case {
        target_sql: "CREATE TABLE t (id int PRIMARY KEY, v int)",
        plan: |plan| plan.options.existing_schema = true,
        ..case("target-schema", name, Quiet)
    };
    rows_on_the_target_are_refused: |name| Case {
        target_sql: "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)",
        plan: |plan| plan.options.existing_schema = true,
        ..case("target-rows", name, Fires(Fail, "TRUNCATE"))
    };
    tables_without_rows_on_the_target_are_taken: |name| Case {
        target_sql: "CREATE TABLE t (id int PRIMARY KEY, v int)",
        plan: |plan| plan.options.existing_schema = true,
        ..case("target-rows", name, Quiet)
    };
    a_conflict_policy_that_could_not_see_changed_rows_is_refused: |name| Case {
        plan: |plan| plan.options.conflicts = rules("target-wins"),
        ..case("conflict-policies", name, Fires(Fail, "REPLICA IDENTITY FULL"))
    };
    a_conflict_policy_by_a_column_that_is_no_time_is_refused: |name| Case {
        plan: |plan| plan.options.conflicts = rules("latest-wins:v"),
        ..case("conflict-policies", name, Fires(Fail, "no timestamp"))
    };
    a_conflict_policy_without_a_key_is_refused: |name| Case {
        source_sql: "CREATE TABLE t (id int); ALTER TABLE t REPLICA IDENTITY FULL",
        plan: |plan| plan.options.conflicts = rules("source-wins"),
        ..case("conflict-policies", name, Fires(Fail, "needs a key"))
    };
    conflict_policies_that_see_enough_are_taken: |name| Case {
        source_sql: "CREATE TABLE t (id int PRIMARY KEY, at timestamptz);
                     CREATE TABLE f (id int PRIMARY KEY); ALTER TABLE f REPLICA IDENTITY FULL",
        plan: |plan| plan.options.conflicts = rules("latest-wins:at").and(vec!["f=target-wins".parse().unwrap()]),
        ..case("conflict-policies", name, Quiet)
    };
    indexes_that_slow_the_copy_are_named: |name| Case {
        target_sql: "CREATE TABLE t (id int PRIMARY KEY, v int UNIQUE REFERENCES t)",
        plan: |plan| plan.options.existing_schema = true,
        ..case("target-load-cost", name, Fires(Warn, "1 foreign keys, 0 triggers, 1 secondary indexes"))
    };
    foreign_keys_that_the_role_cannot_switch_off_are_refused: |name| Case {
        login: As { source: Login::Superuser, target: Login::Shaped },
        target_sql: "CREATE TABLE t (id int PRIMARY KEY, v int REFERENCES t); ALTER TABLE t OWNER TO shaped",
        plan: |plan| plan.options.existing_schema = true,
        ..case("target-load-cost", name, Fires(Fail, "1 foreign keys"))
    };
    an_existing_table_without_the_sources_key_is_named: |name| Case {
        target_sql: "CREATE TABLE t (id int NOT NULL, v int)",
        plan: |plan| plan.options.existing_schema = true,
        ..case("target-keys", name, Fires(Warn, "CREATE UNIQUE INDEX ON \"public\".\"t\" (\"id\")"))
    };
    an_existing_table_with_the_sources_key_is_taken: |name| Case {
        target_sql: "CREATE TABLE t (id int PRIMARY KEY, v int)",
        plan: |plan| plan.options.existing_schema = true,
        ..case("target-keys", name, Quiet)
    };
    a_bare_target_slows_nothing: |name| Case {
        target_sql: "CREATE TABLE t (id int PRIMARY KEY, v int)",
        plan: |plan| plan.options.existing_schema = true,
        ..case("target-load-cost", name, Quiet)
    };
}
