//! Row security policies.

use crate::schema::kind::{COMMENT, Kind, Mend, Rule, Servers, counts, own};
use crate::schema::report::Severity;

pub(super) const KIND: Kind = Kind {
    name: "policy",
    query,
    severity: Severity::Data,
    rules: &[Rule::new("definition", Severity::Data).mended(Mend::Replace), COMMENT.at_finish()],
    holds_data: false,
    unmade: "",
};

fn query(_: Servers) -> String {
    format!(
        "SELECT n.nspname AS relation_schema, c.relname AS relation_name, format('%I on %s', p.polname, f.on) AS identity,
                format('table %s', f.on) AS parent, p.oid, 'finish' AS stage, f.text AS create_sql,
                format('DROP POLICY %I ON %s', p.polname, f.on) AS drop_sql,
                ARRAY['definition', f.text, NULL, 'comment', obj_description(p.oid, 'pg_policy'),
                      format('COMMENT ON POLICY %I ON %s IS %L', p.polname, f.on, obj_description(p.oid, 'pg_policy'))]::text[] AS attributes
           FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
          CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS on,
                     format('CREATE POLICY %I ON %I.%I AS %s FOR %s TO %s%s%s', p.polname, n.nspname, c.relname,
                         CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                         CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
                         (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END, ', '
                                            ORDER BY pg_get_userbyid(r)) FROM unnest(p.polroles) AS r),
                         ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
                         ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')') AS text) AS f
          WHERE c.relkind IN ('r', 'p') AND {} AND {}",
        counts("n"),
        own("pg_class", "c.oid")
    )
}
