//! Default privileges: what objects that are made later will allow.

use crate::schema::kind::{Kind, Rule, Servers};
use crate::schema::report::Severity;

pub(super) const KIND: Kind = Kind {
    name: "default privilege",
    query,
    severity: Severity::Behaviour,
    rules: &[Rule::new("grant option", Severity::Behaviour)],
    holds_data: false,
    unmade: "",
};

fn query(servers: Servers) -> String {
    let maintain = if servers.older < 17 { "a.privilege_type <> 'MAINTAIN'" } else { "true" };
    format!(
        "SELECT n.nspname AS schema, n.nspname AS name, d.oid,
                format('%s on %s%s made by %s to %s', a.privilege_type, lower(f.objects), f.place, f.maker, f.grantee) AS identity,
                format('%s GRANT %s ON %s TO %s%s', f.change, a.privilege_type, f.objects, f.grantee,
                       CASE WHEN bool_or(a.is_grantable) THEN ' WITH GRANT OPTION' ELSE '' END) AS create_sql,
                format('%s REVOKE %s ON %s FROM %s', f.change, a.privilege_type, f.objects, f.grantee) AS drop_sql,
                ARRAY['grant option', bool_or(a.is_grantable)::text, CASE WHEN bool_or(a.is_grantable)
                           THEN format('%s GRANT %s ON %s TO %s WITH GRANT OPTION', f.change, a.privilege_type, f.objects, f.grantee)
                           ELSE format('%s REVOKE GRANT OPTION FOR %s ON %s FROM %s', f.change, a.privilege_type, f.objects, f.grantee) END]::text[]
                  AS attributes
           FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
          CROSS JOIN LATERAL aclexplode(d.defaclacl) AS a
          CROSS JOIN LATERAL (SELECT quote_ident(pg_get_userbyid(d.defaclrole)) AS maker,
                     coalesce(' in schema ' || quote_ident(n.nspname), '') AS place,
                     CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' WHEN 'T' THEN 'TYPES'
                          WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END AS objects,
                     CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee,
                     format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s', pg_get_userbyid(d.defaclrole),
                            coalesce(' IN SCHEMA ' || quote_ident(n.nspname), '')) AS change) AS f
          WHERE {maintain} AND (n.nspname IS NULL OR n.nspname <> 'atalaya')
          GROUP BY n.nspname, d.oid, a.privilege_type, f.maker, f.place, f.objects, f.grantee, f.change"
    )
}
