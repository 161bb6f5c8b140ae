//! Sequences and their options; where they stand is compared with the rows. One of an identity column comes with it.

use crate::schema::kind::{COMMENT, Kind, OWNER, Rule, Servers, counts, own};
use crate::schema::report::Severity;

pub(super) const KIND: Kind = Kind {
    name: "sequence",
    query,
    severity: Severity::Data,
    rules: &[
        Rule::new("owned by", Severity::Behaviour).after_create(),
        Rule::new("type", Severity::Data),
        Rule::new("cache", Severity::Performance),
        OWNER,
        COMMENT,
    ],
    holds_data: true,
    unmade: "it comes with its identity column",
};

fn query(_: Servers) -> String {
    format!(
        "SELECT n.nspname AS schema, c.relname AS name, t.nspname AS relation_schema, t.relname AS relation_name, f.id AS identity,
                c.oid, coalesce(t.deptype = 'i', false) AS implied,
                CASE WHEN t.deptype IS DISTINCT FROM 'i' THEN
                format('CREATE SEQUENCE %s AS %s INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s %s', f.id,
                       format_type(s.seqtypid, NULL), s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache, f.cycle)
                || coalesce(E';\\nSELECT pg_catalog.setval(' || quote_literal(f.id) || ', ' || pg_sequence_last_value(c.oid) || ', true)', '')
                END AS create_sql,
                format('DROP SEQUENCE %s', f.id) AS drop_sql,
                ARRAY['type', format_type(s.seqtypid, NULL), format('ALTER SEQUENCE %s AS %s', f.id, format_type(s.seqtypid, NULL)),
                      'increment', s.seqincrement::text, format('ALTER SEQUENCE %s INCREMENT BY %s', f.id, s.seqincrement),
                      'minimum', s.seqmin::text, format('ALTER SEQUENCE %s MINVALUE %s', f.id, s.seqmin),
                      'maximum', s.seqmax::text, format('ALTER SEQUENCE %s MAXVALUE %s', f.id, s.seqmax),
                      'start', s.seqstart::text, format('ALTER SEQUENCE %s START WITH %s', f.id, s.seqstart),
                      'cache', s.seqcache::text, format('ALTER SEQUENCE %s CACHE %s', f.id, s.seqcache),
                      'cycle', s.seqcycle::text, format('ALTER SEQUENCE %s %s', f.id, f.cycle),
                      'owned by', CASE WHEN t.deptype = 'a' THEN t.column END,
                      CASE WHEN t.deptype IS DISTINCT FROM 'i'
                           THEN format('ALTER SEQUENCE %s OWNED BY %s', f.id, coalesce(t.column, 'NONE')) END,
                      'owner', CASE WHEN t.deptype IS NULL THEN pg_get_userbyid(c.relowner) END,
                      CASE WHEN t.deptype IS NULL THEN format('ALTER SEQUENCE %s OWNER TO %I', f.id, pg_get_userbyid(c.relowner)) END,
                      'comment', obj_description(c.oid, 'pg_class'),
                      format('COMMENT ON SEQUENCE %s IS %L', f.id, obj_description(c.oid, 'pg_class'))]::text[] AS attributes
           FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
           LEFT JOIN LATERAL (
                SELECT d.deptype, q.nspname, o.relname, format('%I.%I.%I', q.nspname, o.relname, a.attname) AS column
                  FROM pg_depend d JOIN pg_class o ON o.oid = d.refobjid JOIN pg_namespace q ON q.oid = o.relnamespace
                  JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum = d.refobjsubid
                 WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
                   AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') LIMIT 1) AS t ON true
          CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS id,
                                     CASE WHEN s.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END AS cycle) AS f
          WHERE {} AND {} AND c.relpersistence <> 't'",
        counts("n"),
        own("pg_class", "c.oid")
    )
}
