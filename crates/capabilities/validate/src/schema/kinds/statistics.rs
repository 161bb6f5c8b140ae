//! Extended statistics, and whether ANALYZE has filled them.

use crate::schema::kind::{COMMENT, Compare, Kind, Mend, OWNER, Rule, Servers, counts, own};
use crate::schema::report::Severity;

pub(super) const KIND: Kind = Kind {
    name: "statistics",
    query,
    severity: Severity::Performance,
    rules: &[
        Rule::new("definition", Severity::Performance).mended(Mend::Replace),
        Rule::new("filled", Severity::Performance).compared(Compare::NotWorse).after_create(),
        Rule::new("target", Severity::Performance).after_create(),
        OWNER,
        COMMENT.at_finish(),
    ],
    holds_data: false,
    unmade: "",
};

fn query(_: Servers) -> String {
    format!(
        "SELECT t.nspname AS relation_schema, c.relname AS relation_name, f.id AS identity,
                format('table %s', f.on) AS parent, s.oid, 'copied' AS stage, pg_get_statisticsobjdef(s.oid) AS create_sql,
                format('DROP STATISTICS %s', f.id) AS drop_sql,
                ARRAY['definition', pg_get_statisticsobjdef(s.oid), NULL,
                      'filled', (CASE WHEN pg_relation_size(c.oid) = 0 THEN NULL ELSE EXISTS (SELECT FROM pg_stats_ext e
                           WHERE e.statistics_schemaname = n.nspname AND e.statistics_name = s.stxname) END)::text,
                      format('ANALYZE %s', f.on),
                      'target', nullif(s.stxstattarget, -1)::text,
                      format('ALTER STATISTICS %s SET STATISTICS %s', f.id, coalesce(s.stxstattarget, -1)),
                      'owner', pg_get_userbyid(s.stxowner), format('ALTER STATISTICS %s OWNER TO %I', f.id, pg_get_userbyid(s.stxowner)),
                      'comment', obj_description(s.oid, 'pg_statistic_ext'),
                      format('COMMENT ON STATISTICS %s IS %L', f.id, obj_description(s.oid, 'pg_statistic_ext'))]::text[] AS attributes
           FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
           JOIN pg_class c ON c.oid = s.stxrelid JOIN pg_namespace t ON t.oid = c.relnamespace
          CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, s.stxname) AS id, format('%I.%I', t.nspname, c.relname) AS on) AS f
          WHERE c.relkind IN ('r', 'p') AND {} AND {}",
        counts("t"),
        own("pg_class", "c.oid")
    )
}
