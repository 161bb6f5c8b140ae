//! Triggers and when they fire; those of foreign keys are the key's, those of partitions their parent's, but for the times
//! at which a partition's own fires, which may be others.

use crate::schema::kind::{COMMENT, Kind, Mend, Rule, Servers, counts, own};
use crate::schema::report::Severity;

pub(super) const KIND: Kind = Kind {
    name: "trigger",
    query,
    severity: Severity::Data,
    rules: &[
        Rule::new("definition", Severity::Data).mended(Mend::Replace),
        Rule::new("fires", Severity::Data).after_create(),
        Rule::new("fires in partitions", Severity::Data).after_create(),
        COMMENT.at_finish(),
    ],
    holds_data: false,
    unmade: "",
};

fn query(_: Servers) -> String {
    format!(
        "SELECT n.nspname AS schema, c.relname AS name, CASE WHEN c.relkind <> 'v' THEN n.nspname END AS relation_schema,
                c.relname AS relation_name, format('%I on %s', t.tgname, f.on) AS identity,
                format('%s %s', CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END, f.on) AS parent, t.oid, 'finish' AS stage,
                pg_get_triggerdef(t.oid) AS create_sql, format('DROP TRIGGER %I ON %s', t.tgname, f.on) AS drop_sql,
                ARRAY['definition', pg_get_triggerdef(t.oid), NULL,
                      'fires', CASE t.tgenabled WHEN 'O' THEN 'origin' WHEN 'A' THEN 'always' WHEN 'R' THEN 'replica' ELSE 'never' END,
                      format('ALTER TABLE %s %s TRIGGER %I', f.on, CASE t.tgenabled WHEN 'O' THEN 'ENABLE' WHEN 'A' THEN 'ENABLE ALWAYS'
                             WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'DISABLE' END, t.tgname),
                      'fires in partitions', p.differing, p.statements,
                      'comment', obj_description(t.oid, 'pg_trigger'),
                      format('COMMENT ON TRIGGER %I ON %s IS %L', t.tgname, f.on, obj_description(t.oid, 'pg_trigger'))]::text[] AS attributes
           FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
          CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS on) AS f
           LEFT JOIN LATERAL (
                SELECT string_agg(format('%s %s', o.part, o.state), ', ' ORDER BY o.part COLLATE \"C\")
                         FILTER (WHERE o.fires <> t.tgenabled) AS differing,
                       concat_ws('; ', format('ALTER TABLE %s %s TRIGGER %I', f.on, CASE t.tgenabled WHEN 'O' THEN 'ENABLE'
                                              WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'DISABLE' END, t.tgname),
                                 string_agg(format('ALTER TABLE ONLY %s %s TRIGGER %I', o.part, o.state, t.tgname), '; '
                                            ORDER BY o.part COLLATE \"C\") FILTER (WHERE o.fires <> t.tgenabled)) AS statements
                  FROM (SELECT g.tgenabled AS fires, format('%I.%I', m.nspname, d.relname) AS part,
                               CASE g.tgenabled WHEN 'O' THEN 'ENABLE' WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA'
                                    ELSE 'DISABLE' END AS state
                          FROM pg_partition_tree(c.oid) AS l JOIN pg_trigger g ON g.tgrelid = l.relid AND g.tgname = t.tgname
                               AND g.tgparentid <> 0
                          JOIN pg_class d ON d.oid = l.relid JOIN pg_namespace m ON m.oid = d.relnamespace) AS o) AS p
             ON c.relkind = 'p'
          WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND c.relkind IN ('r', 'p', 'v') AND c.relpersistence <> 't'
            AND {} AND {}",
        counts("n"),
        own("pg_class", "c.oid")
    )
}
