//! Storage options of tables, their TOAST tables and their columns, one by one.

use crate::schema::kind::{Kind, Servers, counts, own};
use crate::schema::report::Severity;

pub(super) const KIND: Kind =
    Kind { name: "storage option", query, severity: Severity::Performance, rules: &[], holds_data: false, unmade: "" };

fn query(_: Servers) -> String {
    let of = |options: &str, prefix: &str, place: &str, column: &str| {
        format!(
            "SELECT c.oid, n.nspname, c.relname, '{prefix}' || o.option_name AS option, o.option_value AS value, {column} AS place
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace {place}
              CROSS JOIN LATERAL pg_options_to_table({options}) AS o
              WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND {} AND {}",
            counts("n"),
            own("pg_class", "c.oid")
        )
    };
    let parts = [
        of("c.reloptions", "", "", "''"),
        of("t.reloptions", "toast.", "JOIN pg_class t ON t.oid = c.reltoastrelid", "''"),
        of(
            "a.attoptions",
            "",
            "JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped",
            "format(' ALTER COLUMN %I', a.attname)",
        ),
    ];
    format!(
        "SELECT o.nspname AS relation_schema, o.relname AS relation_name, f.id AS parent, o.oid,
                format('%s of %s%s', o.option, f.id, o.place) AS identity,
                format('%s SET (%s = %L)', f.change, o.option, o.value) AS create_sql,
                format('%s RESET (%s)', f.change, o.option) AS drop_sql,
                ARRAY['value', o.value, format('%s SET (%s = %L)', f.change, o.option, o.value)]::text[] AS attributes
           FROM ({}) AS o
          CROSS JOIN LATERAL (SELECT format('table %I.%I', o.nspname, o.relname) AS id,
                                     format('ALTER TABLE %I.%I%s', o.nspname, o.relname, o.place) AS change) AS f",
        parts.join(" UNION ALL ")
    )
}
