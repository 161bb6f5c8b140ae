//! Roles, their memberships, tablespaces, and settings of the database and of roles in it.

use std::collections::{BTreeMap, BTreeSet};

use atalaya_catalog::{setting_scope, setting_sql};
use atalaya_data::quote_identifier;

use crate::{Check, Error, Facts, Finding, Outcome, Severity};

use super::support::listed;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "roles-missing",
        title: "every role that the source's objects name is on the target",
        severity: Severity::Fail,
        why: "owners, grants and policies cannot be restored without their roles",
        remedy: "make the roles on the target (passwords are not moved), or leave owners and privileges behind with --no-owner",
        run: |facts| Box::pin(missing(facts)),
    },
    Check {
        id: "role-memberships",
        title: "roles are members of the same roles on the target",
        severity: Severity::Warn,
        why: "a membership that is missing takes privileges away from an application after the cutover",
        remedy: "grant the memberships on the target",
        run: |facts| Box::pin(memberships(facts)),
    },
    Check {
        id: "settings-not-moved",
        title: "settings of the database and of roles in it are on the target too",
        severity: Severity::Warn,
        why: "ALTER DATABASE SET and ALTER ROLE SET are not part of a database's dump: search_path, timeouts and the like would be lost",
        remedy: "run the listed SQL on the target",
        run: |facts| Box::pin(settings(facts)),
    },
    Check {
        id: "tablespaces",
        title: "every tablespace in use is on the target",
        severity: Severity::Warn,
        why: "tablespaces are not restored: what lies in one that is missing goes to the database's own",
        remedy: "make the tablespace on the target, or let the objects go to the default one",
        run: |facts| Box::pin(tablespaces(facts)),
    },
];

#[derive(Debug)]
struct RoleOnSource {
    name: String,
    attributes: String,
    reasons: BTreeSet<String>,
}

/// Roles that objects of the source's database depend on: as owner, in grants, in policies. What stays
/// behind is left out: objects of tables that do not move, publications, event triggers, and our own schema, which
/// another move of this source may have made.
async fn named(facts: &Facts) -> Result<BTreeMap<String, RoleOnSource>, Error> {
    let left_out: Vec<u32> = facts
        .source
        .relations
        .iter()
        .filter(|relation| !facts.is_selected(relation.oid))
        .map(|relation| relation.oid)
        .collect();
    let rows = facts
        .source
        .query(
            "WITH ours AS (
                SELECT o.classid, o.objid
                  FROM pg_catalog.pg_namespace n,
                       LATERAL (SELECT 'pg_catalog.pg_namespace'::regclass AS classid, n.oid AS objid
                                UNION ALL SELECT 'pg_catalog.pg_class'::regclass, c.oid
                                  FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid
                                UNION ALL SELECT 'pg_catalog.pg_proc'::regclass, p.oid
                                  FROM pg_catalog.pg_proc p WHERE p.pronamespace = n.oid) AS o
                 WHERE n.nspname = 'atalaya'),
             named AS (
                SELECT s.refobjid AS role, s.deptype::text AS kind
                  FROM pg_catalog.pg_shdepend s
                 WHERE s.refclassid = 'pg_catalog.pg_authid'::regclass
                   AND (s.dbid = (SELECT oid FROM pg_catalog.pg_database
                                   WHERE datname = pg_catalog.current_database())
                        AND NOT (s.classid = 'pg_catalog.pg_class'::regclass AND s.objid = ANY($1))
                        AND s.classid NOT IN ('pg_catalog.pg_publication'::regclass, 'pg_catalog.pg_event_trigger'::regclass)
                        AND NOT EXISTS (SELECT FROM ours WHERE ours.classid = s.classid AND ours.objid = s.objid)
                        OR s.dbid = 0 AND s.classid = 'pg_catalog.pg_database'::regclass
                        AND s.objid = (SELECT oid FROM pg_catalog.pg_database
                                        WHERE datname = pg_catalog.current_database()))
                UNION
                SELECT c.relowner, 'o' FROM pg_catalog.pg_class c WHERE c.oid = ANY($2))
             SELECT r.rolname::text,
                    CASE n.kind WHEN 'o' THEN 'owner' WHEN 'a' THEN 'grantee' WHEN 'r' THEN 'in a policy'
                         ELSE 'in default privileges' END,
                    concat_ws(' ', CASE WHEN r.rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
                        CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
                        CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
                        CASE WHEN r.rolreplication THEN 'REPLICATION' END,
                        CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END,
                        CASE WHEN NOT r.rolinherit THEN 'NOINHERIT' END,
                        CASE WHEN r.rolsuper THEN 'SUPERUSER' END)
               FROM named n JOIN pg_catalog.pg_roles r ON r.oid = n.role
              WHERE r.rolname NOT LIKE 'pg\\_%'
              ORDER BY 1, 2",
            &[&left_out, &facts.selected_oids()],
        )
        .await?;
    let mut roles: BTreeMap<String, RoleOnSource> = BTreeMap::new();
    for row in &rows {
        let name: String = row.get(0);
        roles
            .entry(name.clone())
            .or_insert_with(|| RoleOnSource { name, attributes: row.get(2), reasons: BTreeSet::new() })
            .reasons
            .insert(row.get(1));
    }
    Ok(roles)
}

async fn on_target(facts: &Facts) -> Result<BTreeSet<String>, Error> {
    Ok(facts
        .target
        .query("SELECT rolname::text FROM pg_catalog.pg_roles", &[])
        .await?
        .iter()
        .map(|row| row.get(0))
        .collect())
}

async fn missing(facts: &Facts) -> Result<Outcome, Error> {
    let theirs = on_target(facts).await?;
    let findings: Vec<Finding> = named(facts)
        .await?
        .into_values()
        .filter(|role| !theirs.contains(&role.name))
        .map(|role| {
            let reasons: Vec<&str> = role.reasons.iter().map(String::as_str).collect();
            let seen = format!("missing on the target; {}", reasons.join(", "));
            let finding = if facts.options.no_owner { Finding::warn(seen) } else { Finding::fail(seen) };
            finding.on(&role.name).remedy(format!("CREATE ROLE {} {};", quote_identifier(&role.name), role.attributes))
        })
        .collect();
    Ok(findings.into())
}

async fn membership_pairs(side: &crate::Side) -> Result<BTreeSet<(String, String)>, Error> {
    Ok(side
        .query(
            "SELECT g.rolname::text, m.rolname::text FROM pg_catalog.pg_auth_members a
               JOIN pg_catalog.pg_roles g ON g.oid = a.roleid
               JOIN pg_catalog.pg_roles m ON m.oid = a.member",
            &[],
        )
        .await?
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect())
}

async fn memberships(facts: &Facts) -> Result<Outcome, Error> {
    let roles = named(facts).await?;
    let ours = membership_pairs(&facts.source).await?;
    let theirs = membership_pairs(&facts.target).await?;
    let findings: Vec<Finding> = ours
        .difference(&theirs)
        .filter(|(group, member)| roles.contains_key(group) || roles.contains_key(member))
        .map(|(group, member)| {
            Finding::warn(format!("a member of `{group}` on the source only")).on(member).remedy(format!(
                "GRANT {} TO {};",
                quote_identifier(group),
                quote_identifier(member)
            ))
        })
        .collect();
    Ok(findings.into())
}

/// (whole database or in it, role or none) -> `name=value` entries.
type Settings = BTreeMap<(bool, String), BTreeSet<String>>;

async fn read_settings(side: &crate::Side) -> Result<Settings, Error> {
    let rows = side
        .query(
            "SELECT s.setdatabase <> 0, coalesce(r.rolname::text, ''), s.setconfig
               FROM pg_catalog.pg_db_role_setting s
               LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
               LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
              WHERE s.setdatabase = 0 OR d.datname = pg_catalog.current_database()",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let entries: Vec<String> = row.get(2);
            ((row.get(0), row.get(1)), entries.into_iter().collect())
        })
        .collect())
}

async fn settings(facts: &Facts) -> Result<Outcome, Error> {
    let ours = read_settings(&facts.source).await?;
    let theirs = read_settings(&facts.target).await?;
    let roles = named(facts).await?;
    let database = facts.target.identity.database.as_str();
    let mut findings = Vec::new();
    for ((in_database, role), entries) in &ours {
        // Settings of a role everywhere matter where the role has to do with this database.
        if !in_database && !role.is_empty() && !roles.contains_key(role) {
            continue;
        }
        let role_name = (!role.is_empty()).then_some(role.as_str());
        let scope = setting_scope(role_name, in_database.then_some(database));
        let known = theirs.get(&(*in_database, role.clone()));
        for entry in entries.iter().filter(|entry| !known.is_some_and(|known| known.contains(*entry))) {
            let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
            findings.push(
                Finding::warn(format!("`{name}` is set on the source only, or otherwise"))
                    .on(&scope)
                    .remedy(setting_sql(&scope, name, value)),
            );
        }
    }
    Ok(findings.into())
}

async fn tablespaces(facts: &Facts) -> Result<Outcome, Error> {
    let rows = facts
        .source
        .query(
            "SELECT t.spcname::text, array_agg(DISTINCT c.relname::text)
               FROM pg_catalog.pg_tablespace t
               JOIN pg_catalog.pg_class c ON c.reltablespace = t.oid
               LEFT JOIN pg_catalog.pg_index x ON x.indexrelid = c.oid
              WHERE t.spcname NOT IN ('pg_default', 'pg_global')
                AND (c.oid = ANY($1) OR x.indrelid = ANY($1))
              GROUP BY 1 ORDER BY 1",
            &[&facts.selected_oids()],
        )
        .await?;
    let theirs: BTreeSet<String> = facts
        .target
        .query("SELECT spcname::text FROM pg_catalog.pg_tablespace", &[])
        .await?
        .iter()
        .map(|row| row.get(0))
        .collect();
    let findings: Vec<Finding> = rows
        .iter()
        .map(|row| (row.get::<_, String>(0), row.get::<_, Vec<String>>(1)))
        .filter(|(name, _)| !theirs.contains(name))
        .map(|(name, objects)| {
            Finding::warn(format!("missing on the target; used by {}", listed(&objects, 10)))
                .on(&name)
                .remedy(format!("CREATE TABLESPACE {} LOCATION '...';", quote_identifier(&name)))
        })
        .collect();
    Ok(findings.into())
}
