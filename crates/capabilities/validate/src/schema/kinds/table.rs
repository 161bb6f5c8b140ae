//! Tables, partitioned ones too. A missing one is rows missing: no statement brings them.

use crate::schema::kind::{COMMENT, Compare, Kind, Mend, OWNER, Rule, Servers, counts, own};
use crate::schema::report::Severity;

pub(super) const KIND: Kind = Kind {
    name: "table",
    query,
    severity: Severity::Data,
    rules: &[
        Rule::new("kind", Severity::Data)
            .mended(Mend::ByHand("a table cannot become a partitioned one, or the other way round")),
        Rule::new("partition key", Severity::Data)
            .mended(Mend::ByHand("a partition key cannot be changed; the table has to be made anew")),
        Rule::new("order of columns", Severity::Cosmetic)
            .compared(Compare::Order)
            .mended(Mend::ByHand("columns cannot change places; only what names no columns sees it")),
        Rule::new("row security", Severity::Data).at_finish(),
        Rule::new("row security forced", Severity::Data).at_finish(),
        Rule::new("access method", Severity::Performance),
        Rule::new("statistics", Severity::Performance).compared(Compare::NotWorse),
        OWNER,
        COMMENT,
    ],
    holds_data: true,
    unmade: "a statement would make it without its rows; move it: `pg_dump --table`, or a migration of its own",
};

fn query(servers: Servers) -> String {
    let method = if servers.own >= 15 {
        "format('ALTER TABLE %s SET ACCESS METHOD ', f.id) || quote_ident(m.amname)"
    } else {
        "NULL"
    };
    // pg_stats shows what the role may read; an empty table has none, and needs none.
    format!(
        "SELECT n.nspname AS relation_schema, c.relname AS relation_name, f.id AS identity, c.oid,
                format('DROP TABLE %s', f.id) AS drop_sql,
                ARRAY['kind', CASE c.relkind WHEN 'p' THEN 'partitioned' ELSE 'plain' END, NULL,
                      'logged', (c.relpersistence = 'p')::text, format('ALTER TABLE %s SET %s', f.id,
                           CASE c.relpersistence WHEN 'p' THEN 'LOGGED' ELSE 'UNLOGGED' END),
                      'partition key', pg_get_partkeydef(c.oid), NULL,
                      'order of columns', (SELECT json_agg(a.attname ORDER BY a.attnum)::text FROM pg_attribute a
                           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), NULL,
                      'row security', c.relrowsecurity::text, format('ALTER TABLE %s %s ROW LEVEL SECURITY', f.id,
                           CASE WHEN c.relrowsecurity THEN 'ENABLE' ELSE 'DISABLE' END),
                      'row security forced', c.relforcerowsecurity::text, format('ALTER TABLE %s %s ROW LEVEL SECURITY', f.id,
                           CASE WHEN c.relforcerowsecurity THEN 'FORCE' ELSE 'NO FORCE' END),
                      'replica identity', CASE c.relreplident WHEN 'd' THEN 'default' WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full'
                           ELSE coalesce(i.index, 'nothing') END,
                      format('ALTER TABLE %s REPLICA IDENTITY %s', f.id, CASE c.relreplident WHEN 'd' THEN 'DEFAULT'
                           WHEN 'n' THEN 'NOTHING' WHEN 'f' THEN 'FULL' ELSE coalesce('USING INDEX ' || i.index, 'NOTHING') END),
                      'access method', m.amname, {method},
                      'statistics', (CASE WHEN c.relkind = 'r' AND pg_relation_size(c.oid) = 0 THEN NULL
                           ELSE EXISTS (SELECT FROM pg_stats p WHERE p.schemaname = n.nspname AND p.tablename = c.relname) END)::text,
                      format('ANALYZE %s', f.id),
                      'owner', pg_get_userbyid(c.relowner), format('ALTER TABLE %s OWNER TO %I', f.id, pg_get_userbyid(c.relowner)),
                      'comment', obj_description(c.oid, 'pg_class'),
                      format('COMMENT ON TABLE %s IS %L', f.id, obj_description(c.oid, 'pg_class'))]::text[] AS attributes
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           LEFT JOIN pg_am m ON m.oid = c.relam AND c.relkind = 'r'
           LEFT JOIN LATERAL (SELECT quote_ident(o.relname) AS index FROM pg_index x JOIN pg_class o ON o.oid = x.indexrelid
                               WHERE x.indrelid = c.oid AND x.indisreplident LIMIT 1) AS i ON true
          CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS id) AS f
          WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND {} AND {}",
        counts("n"),
        own("pg_class", "c.oid")
    )
}
