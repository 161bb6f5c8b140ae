//! Materialized views: their query, and whether they are filled.

use crate::schema::kind::{COMMENT, Compare, Kind, Mend, OWNER, Rule, Servers, counts, own};
use crate::schema::report::Severity;

pub(super) const KIND: Kind = Kind {
    name: "materialized view",
    query,
    severity: Severity::Behaviour,
    rules: &[
        // Its indexes and privileges go with it; a second look finds them missing.
        Rule::new("query", Severity::Behaviour).compared(Compare::Spelling).mended(Mend::Replace),
        Rule::new("filled", Severity::Data).compared(Compare::NotWorse).after_create().with_contents(),
        OWNER,
        COMMENT,
    ],
    holds_data: false,
    unmade: "",
};

fn query(_: Servers) -> String {
    format!(
        "SELECT n.nspname AS schema, c.relname AS name, f.id AS identity, c.oid,
                format(E'CREATE MATERIALIZED VIEW %s AS\\n%s\\nWITH NO DATA', f.id, f.query) AS create_sql,
                format('DROP MATERIALIZED VIEW %s', f.id) AS drop_sql,
                ARRAY['query', f.query, NULL,
                      'filled', c.relispopulated::text, CASE WHEN c.relispopulated THEN format('REFRESH MATERIALIZED VIEW %s', f.id) END,
                      'owner', pg_get_userbyid(c.relowner),
                      format('ALTER MATERIALIZED VIEW %s OWNER TO %I', f.id, pg_get_userbyid(c.relowner)),
                      'comment', obj_description(c.oid, 'pg_class'),
                      format('COMMENT ON MATERIALIZED VIEW %s IS %L', f.id, obj_description(c.oid, 'pg_class'))]::text[] AS attributes
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS id, rtrim(pg_get_viewdef(c.oid), ';') AS query) AS f
          WHERE c.relkind = 'm' AND {} AND {}",
        counts("n"),
        own("pg_class", "c.oid")
    )
}
