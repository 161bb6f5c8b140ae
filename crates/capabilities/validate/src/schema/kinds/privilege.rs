//! Privileges, one by one, as they are in effect: what a NULL in the catalog stands for is written out.

use crate::schema::kind::{Kind, Rule, Servers, counts, own};
use crate::schema::report::Severity;

pub(super) const KIND: Kind = Kind {
    name: "privilege",
    query,
    severity: Severity::Behaviour,
    rules: &[Rule::new("grant option", Severity::Behaviour)],
    holds_data: false,
    unmade: "",
};

/// Objects that have privileges: OID, owner, list (with its default), names, and how GRANT calls the object.
fn objects(servers: Servers) -> String {
    let relations = format!(
        "SELECT c.oid, c.relowner AS owner, coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", c.relowner)) AS acl,
                CASE WHEN c.relkind IN ('v', 'm', 'S') THEN n.nspname END AS schema, c.relname AS name,
                CASE WHEN c.relkind IN ('r', 'p') THEN n.nspname END AS relation_schema,
                CASE WHEN c.relkind IN ('r', 'p') THEN c.relname END AS relation_name,
                format('%s %I.%I', f.kind, n.nspname, c.relname) AS parent,
                format('%s %I.%I', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname, c.relname) AS target, '' AS columns, format('%s %I.%I', f.kind, n.nspname, c.relname) AS place
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace {2}
          WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relpersistence <> 't' AND {0} AND {1}
         UNION ALL
         SELECT c.oid, c.relowner, a.attacl, CASE WHEN c.relkind IN ('v', 'm') THEN n.nspname END, c.relname,
                CASE WHEN c.relkind IN ('r', 'p') THEN n.nspname END, CASE WHEN c.relkind IN ('r', 'p') THEN c.relname END,
                CASE WHEN c.relkind IN ('r', 'p') THEN format('column %I.%I.%I', n.nspname, c.relname, a.attname)
                     ELSE format('%s %I.%I', f.kind, n.nspname, c.relname) END,
                format('TABLE %I.%I', n.nspname, c.relname), format(' (%I)', a.attname), format('column %I.%I.%I', n.nspname, c.relname, a.attname)
           FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace {2}
          WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relpersistence <> 't' AND {0} AND {1}",
        counts("n"),
        own("pg_class", "c.oid"),
        "CROSS JOIN LATERAL (SELECT CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
                                        ELSE 'table' END AS kind) AS f"
    );
    let functions = format!(
        "SELECT p.oid, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner)), n.nspname, p.proname, NULL, NULL,
                'function ' || p.oid::regprocedure, 'ROUTINE ' || p.oid::regprocedure, '', 'function ' || p.oid::regprocedure
           FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
          WHERE {} AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = 'pg_proc'::regclass AND x.objid = p.oid AND x.deptype IN ('e', 'i'))",
        counts("n")
    );
    let types = format!(
        "SELECT t.oid, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner)), n.nspname, t.typname, NULL, NULL,
                format('type %I.%I', n.nspname, t.typname), format('TYPE %I.%I', n.nspname, t.typname), '', format('type %I.%I', n.nspname, t.typname)
           FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
          WHERE t.typtype IN ('e', 'd', 'c', 'r') AND (t.typrelid = 0 OR c.relkind = 'c') AND {} AND {}",
        counts("n"),
        own("pg_type", "t.oid")
    );
    // Who may create in `public` is another matter from 15 on, by Postgres's own doing.
    let public = if servers.same { "" } else { "AND n.nspname <> 'public'" };
    let schemas = format!(
        "SELECT n.oid, n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner)), n.nspname, n.nspname, NULL, NULL,
                format('schema %I', n.nspname), format('SCHEMA %I', n.nspname), '', format('schema %I', n.nspname)
           FROM pg_namespace n WHERE {} AND {} {public}",
        counts("n"),
        own("pg_namespace", "n.oid")
    );
    [relations, functions, types, schemas].join(" UNION ALL ")
}

fn query(servers: Servers) -> String {
    // A privilege that only the newer server knows.
    let maintain = if servers.older < 17 { "a.privilege_type <> 'MAINTAIN'" } else { "true" };
    format!(
        "SELECT o.schema, o.name, o.relation_schema, o.relation_name, o.parent, o.oid,
                format('%s on %s to %s', a.privilege_type, o.place,
                       CASE WHEN a.grantee = o.owner THEN 'its owner' ELSE f.grantee END) AS identity, a.grantee = o.owner AS with_parent,
                format('GRANT %s%s ON %s TO %s%s', a.privilege_type, o.columns, o.target, f.grantee,
                       CASE WHEN bool_or(a.is_grantable) THEN ' WITH GRANT OPTION' ELSE '' END) AS create_sql,
                format('REVOKE %s%s ON %s FROM %s', a.privilege_type, o.columns, o.target, f.grantee) AS drop_sql,
                ARRAY['grant option', bool_or(a.is_grantable)::text, CASE WHEN bool_or(a.is_grantable)
                           THEN format('GRANT %s%s ON %s TO %s WITH GRANT OPTION', a.privilege_type, o.columns, o.target, f.grantee)
                           ELSE format('REVOKE GRANT OPTION FOR %s%s ON %s FROM %s', a.privilege_type, o.columns, o.target, f.grantee) END]::text[]
                  AS attributes
           FROM ({}) AS o
          CROSS JOIN LATERAL aclexplode(o.acl) AS a
          CROSS JOIN LATERAL (SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee) AS f
          WHERE {maintain}
          GROUP BY o.schema, o.name, o.relation_schema, o.relation_name, o.parent, o.oid, o.columns, o.target, o.place, o.owner,
                   a.privilege_type, a.grantee, f.grantee",
        objects(servers)
    )
}
