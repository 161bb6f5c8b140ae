//! Views. Versions spell the same query differently, so the target is asked how it spells the source's.

use crate::schema::kind::{COMMENT, Compare, Kind, OWNER, Rule, Servers, counts, own};
use crate::schema::report::Severity;

pub(super) const KIND: Kind = Kind {
    name: "view",
    query,
    severity: Severity::Behaviour,
    rules: &[
        Rule::new("query", Severity::Behaviour).compared(Compare::Spelling).at_finish(),
        Rule::new("options", Severity::Behaviour).at_finish(),
        OWNER,
        COMMENT,
    ],
    holds_data: false,
    unmade: "",
};

fn query(_: Servers) -> String {
    format!(
        "SELECT n.nspname AS schema, c.relname AS name, f.id AS identity, c.oid, f.text AS create_sql,
                format('DROP VIEW %s', f.id) AS drop_sql,
                ARRAY['query', f.query, f.text, 'options', f.options, f.text,
                      'owner', pg_get_userbyid(c.relowner), format('ALTER VIEW %s OWNER TO %I', f.id, pg_get_userbyid(c.relowner)),
                      'comment', obj_description(c.oid, 'pg_class'),
                      format('COMMENT ON VIEW %s IS %L', f.id, obj_description(c.oid, 'pg_class'))]::text[] AS attributes
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS id, rtrim(pg_get_viewdef(c.oid), ';') AS query,
                     (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(c.reloptions) AS o) AS options) AS g
          CROSS JOIN LATERAL (SELECT g.*, format(E'CREATE OR REPLACE VIEW %s%s AS\\n%s', g.id,
                     coalesce(' WITH (' || g.options || ')', ''), g.query) AS text) AS f
          WHERE c.relkind = 'v' AND c.relpersistence <> 't' AND {} AND {}",
        counts("n"),
        own("pg_class", "c.oid")
    )
}
