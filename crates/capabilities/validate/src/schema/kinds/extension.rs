//! Extensions. Their versions are compared only between servers of one major version: each version brings its own.

use crate::schema::kind::{Kind, Rule, Servers};
use crate::schema::report::Severity;

pub(super) const KIND: Kind = Kind {
    name: "extension",
    query,
    severity: Severity::Behaviour,
    rules: &[Rule::new("version", Severity::Behaviour), Rule::new("schema", Severity::Behaviour)],
    holds_data: true,
    unmade: "",
};

fn query(servers: Servers) -> String {
    let version = if servers.same { "e.extversion" } else { "NULL" };
    format!(
        "SELECT quote_ident(e.extname) AS identity, e.oid,
                format('CREATE EXTENSION IF NOT EXISTS %I WITH SCHEMA %I', e.extname, n.nspname) AS create_sql,
                format('DROP EXTENSION %I', e.extname) AS drop_sql,
                ARRAY['schema', n.nspname, format('ALTER EXTENSION %I SET SCHEMA %I', e.extname, n.nspname),
                      'version', {version}, format('ALTER EXTENSION %I UPDATE TO %L', e.extname, e.extversion)]::text[] AS attributes
           FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
    )
}
