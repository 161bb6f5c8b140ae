//! Indexes. One of a constraint comes with it, one of a partition with its partitioned index.

use crate::schema::kind::{COMMENT, Compare, Kind, Mend, Rule, Servers, counts, own};
use crate::schema::report::Severity;

pub(super) const KIND: Kind = Kind {
    name: "index",
    query,
    severity: Severity::Performance,
    rules: &[
        Rule::new("unique", Severity::Data).mended(Mend::Replace),
        Rule::new("definition", Severity::Performance).compared(Compare::WhereBothHave).mended(Mend::Replace),
        Rule::new("valid", Severity::Performance).compared(Compare::NotWorse),
        Rule::new("clustered by", Severity::Cosmetic).after_create(),
        COMMENT.at_finish(),
    ],
    holds_data: false,
    unmade: "it comes with its constraint or its partitioned index",
};

fn query(_: Servers) -> String {
    format!(
        "SELECT CASE WHEN t.relkind = 'm' THEN n.nspname END AS schema, t.relname AS name,
                CASE WHEN t.relkind <> 'm' THEN n.nspname END AS relation_schema, t.relname AS relation_name,
                format('%s on %s', f.id, f.on) AS identity, format('%s %s', f.parent, f.on) AS parent, c.oid, 'copied' AS stage,
                c.relispartition OR k.oid IS NOT NULL AS implied,
                CASE WHEN NOT c.relispartition AND k.oid IS NULL THEN f.text END AS create_sql,
                CASE WHEN NOT c.relispartition AND k.oid IS NULL THEN
                format('DROP INDEX %s%s', CASE c.relkind WHEN 'i' THEN 'CONCURRENTLY ' ELSE '' END, f.id) END AS drop_sql,
                ARRAY['unique', i.indisunique::text, NULL,
                      'definition', CASE WHEN k.oid IS NULL AND NOT c.relispartition THEN pg_get_indexdef(c.oid) END, NULL,
                      'valid', (i.indisvalid AND i.indisready)::text, CASE WHEN i.indisvalid AND i.indisready AND c.relkind = 'i'
                           THEN format('REINDEX INDEX CONCURRENTLY %s', f.id) END,
                      'clustered by', i.indisclustered::text, CASE WHEN i.indisclustered
                           THEN format('ALTER %s %s CLUSTER ON %I', upper(f.parent), f.on, c.relname)
                           ELSE format('ALTER %s %s SET WITHOUT CLUSTER', upper(f.parent), f.on) END,
                      'comment', obj_description(c.oid, 'pg_class'),
                      format('COMMENT ON INDEX %s IS %L', f.id, obj_description(c.oid, 'pg_class'))]::text[] AS attributes
           FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
           JOIN pg_namespace n ON n.oid = t.relnamespace
           LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.conrelid = t.oid AND k.contype IN ('p', 'u', 'x')
          CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS id, format('%I.%I', n.nspname, t.relname) AS on,
                     CASE t.relkind WHEN 'm' THEN 'materialized view' ELSE 'table' END AS parent,
                     CASE c.relkind WHEN 'I' THEN replace(pg_get_indexdef(c.oid), ' ON ONLY ', ' ON ')
                          ELSE regexp_replace(pg_get_indexdef(c.oid), '^CREATE (UNIQUE )?INDEX ', 'CREATE \\1INDEX CONCURRENTLY ') END
                       AS text) AS f
          WHERE t.relkind IN ('r', 'p', 'm') AND t.relpersistence <> 't' AND {} AND {}",
        counts("n"),
        own("pg_class", "t.oid")
    )
}
