//! Schemas. The owner of `public` is another one from 15 on, by Postgres's own doing.

use crate::schema::kind::{COMMENT, Kind, OWNER, Servers, counts, own};
use crate::schema::report::Severity;

pub(super) const KIND: Kind = Kind {
    name: "schema",
    query,
    severity: Severity::Behaviour,
    rules: &[OWNER, COMMENT],
    holds_data: false,
    unmade: "",
};

fn query(_: Servers) -> String {
    format!(
        "SELECT n.nspname AS schema, quote_ident(n.nspname) AS identity, n.oid,
                format('CREATE SCHEMA %I', n.nspname) AS create_sql, format('DROP SCHEMA %I', n.nspname) AS drop_sql,
                ARRAY['owner', CASE WHEN n.nspname = 'public'
                                     AND pg_get_userbyid(n.nspowner) IN (pg_get_userbyid(10), 'pg_database_owner')
                                    THEN 'the default' ELSE pg_get_userbyid(n.nspowner) END,
                      format('ALTER SCHEMA %I OWNER TO %I', n.nspname, pg_get_userbyid(n.nspowner)),
                      'comment', obj_description(n.oid, 'pg_namespace'),
                      format('COMMENT ON SCHEMA %I IS %L', n.nspname, obj_description(n.oid, 'pg_namespace'))]::text[] AS attributes
           FROM pg_namespace n WHERE {} AND {}",
        counts("n"),
        own("pg_namespace", "n.oid")
    )
}
