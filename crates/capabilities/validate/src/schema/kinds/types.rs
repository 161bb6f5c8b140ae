//! Types that somebody made: enums, domains, composite and range types. A table's row type goes with its table.

use crate::schema::kind::{COMMENT, Compare, Kind, Mend, OWNER, Rule, Servers, counts, own};
use crate::schema::report::Severity;

const BY_HAND: Mend = Mend::ByHand("a type that columns use is changed by hand, with the columns");

pub(super) const KIND: Kind = Kind {
    name: "type",
    query,
    severity: Severity::Data,
    rules: &[
        Rule::new("kind", Severity::Data).mended(BY_HAND),
        Rule::new("definition", Severity::Data).mended(BY_HAND),
        Rule::new("order of labels", Severity::Behaviour)
            .compared(Compare::Order)
            .mended(Mend::ByHand("labels cannot be put in another order; a new type and ALTER COLUMN TYPE are needed")),
        Rule::new("default", Severity::Behaviour).after_create(),
        Rule::new("not null", Severity::Data).after_create(),
        OWNER,
        COMMENT,
    ],
    holds_data: false,
    unmade: "a base type comes with the functions of its library; pg_dump brings it",
};

fn query(_: Servers) -> String {
    format!(
        "SELECT n.nspname AS schema, t.typname AS name, f.id AS identity, t.oid,
                CASE t.typtype
                  WHEN 'e' THEN format('CREATE TYPE %s AS ENUM (%s)', f.id, l.literals)
                  WHEN 'd' THEN format('CREATE DOMAIN %s AS %s', f.id, d.definition)
                  WHEN 'c' THEN format('CREATE TYPE %s AS (%s)', f.id, d.definition)
                  WHEN 'r' THEN format('CREATE TYPE %s AS RANGE (%s)', f.id, d.definition) END AS create_sql,
                format('DROP %s %s', f.word, f.id) AS drop_sql,
                ARRAY['kind', t.typtype, NULL, 'definition', d.definition, NULL, 'order of labels', l.names, NULL,
                      'default', CASE WHEN t.typtype = 'd' THEN t.typdefault END,
                      CASE WHEN t.typtype <> 'd' THEN NULL WHEN t.typdefault IS NULL THEN format('ALTER DOMAIN %s DROP DEFAULT', f.id)
                           ELSE format('ALTER DOMAIN %s SET DEFAULT %s', f.id,
                                       coalesce(pg_get_expr(t.typdefaultbin, 0), quote_literal(t.typdefault))) END,
                      'not null', t.typnotnull::text,
                      CASE WHEN t.typtype = 'd' THEN format('ALTER DOMAIN %s %s NOT NULL', f.id,
                           CASE WHEN t.typnotnull THEN 'SET' ELSE 'DROP' END) END,
                      'owner', pg_get_userbyid(t.typowner),
                      format('ALTER %s %s OWNER TO %I', f.word, f.id, pg_get_userbyid(t.typowner)),
                      'comment', obj_description(t.oid, 'pg_type'),
                      format('COMMENT ON %s %s IS %L', f.word, f.id, obj_description(t.oid, 'pg_type'))]::text[] AS attributes
           FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
           LEFT JOIN pg_class c ON c.oid = t.typrelid
           LEFT JOIN pg_range r ON r.rngtypid = t.oid
           LEFT JOIN pg_collation o ON o.oid = t.typcollation AND t.typtype = 'd'
                 AND t.typcollation <> (SELECT b.typcollation FROM pg_type b WHERE b.oid = t.typbasetype)
          CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, t.typname) AS id,
                                     CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END AS word) AS f
          CROSS JOIN LATERAL (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder)::text AS names,
                                     string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) AS literals
                                FROM pg_enum e WHERE e.enumtypid = t.oid) AS l
          CROSS JOIN LATERAL (SELECT CASE t.typtype
                WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod)
                              || coalesce(' COLLATE ' || o.oid::regcollation::text, '')
                WHEN 'c' THEN (SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', '
                                                 ORDER BY a.attnum)
                                 FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
                WHEN 'r' THEN 'SUBTYPE = ' || format_type(r.rngsubtype, NULL)
                              || coalesce(', COLLATION = ' || nullif(r.rngcollation, 0)::regcollation::text, '')
                              || CASE WHEN r.rngsubdiff <> 0 THEN ', SUBTYPE_DIFF = ' || r.rngsubdiff::text ELSE '' END
                              || CASE WHEN r.rngcanonical <> 0 THEN ', CANONICAL = ' || r.rngcanonical::text ELSE '' END
                END AS definition) AS d
          WHERE {} AND {} AND t.typtype IN ('e', 'd', 'c', 'r', 'b') AND (t.typrelid = 0 OR c.relkind = 'c')
            AND (t.typtype <> 'b' OR t.typelem = 0 OR t.typlen <> -1)",
        counts("n"),
        own("pg_type", "t.oid")
    )
}
