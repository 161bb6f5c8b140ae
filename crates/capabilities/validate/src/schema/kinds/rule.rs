//! Rewrite rules of tables and views, those that make a view apart.

use crate::schema::kind::{COMMENT, Compare, Kind, Mend, Rule, Servers, counts, own};
use crate::schema::report::Severity;

pub(super) const KIND: Kind = Kind {
    name: "rule",
    query,
    severity: Severity::Data,
    rules: &[
        Rule::new("definition", Severity::Data).compared(Compare::Spelling).mended(Mend::Replace),
        Rule::new("fires", Severity::Data).after_create(),
        COMMENT.at_finish(),
    ],
    holds_data: false,
    unmade: "",
};

fn query(_: Servers) -> String {
    format!(
        "SELECT n.nspname AS schema, c.relname AS name, CASE WHEN c.relkind <> 'v' THEN n.nspname END AS relation_schema,
                c.relname AS relation_name, format('%I on %s', r.rulename, f.on) AS identity,
                format('%s %s', CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END, f.on) AS parent, r.oid, 'finish' AS stage,
                rtrim(pg_get_ruledef(r.oid), ';') AS create_sql, format('DROP RULE %I ON %s', r.rulename, f.on) AS drop_sql,
                ARRAY['definition', rtrim(pg_get_ruledef(r.oid), ';'), NULL,
                      'fires', CASE r.ev_enabled WHEN 'O' THEN 'origin' WHEN 'A' THEN 'always' WHEN 'R' THEN 'replica' ELSE 'never' END,
                      format('ALTER TABLE %s %s RULE %I', f.on, CASE r.ev_enabled WHEN 'O' THEN 'ENABLE' WHEN 'A' THEN 'ENABLE ALWAYS'
                             WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'DISABLE' END, r.rulename),
                      'comment', obj_description(r.oid, 'pg_rewrite'),
                      format('COMMENT ON RULE %I ON %s IS %L', r.rulename, f.on, obj_description(r.oid, 'pg_rewrite'))]::text[] AS attributes
           FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
          CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS on) AS f
          WHERE r.rulename <> '_RETURN' AND c.relkind IN ('r', 'p', 'v') AND c.relpersistence <> 't' AND {} AND {}",
        counts("n"),
        own("pg_class", "c.oid")
    )
}
