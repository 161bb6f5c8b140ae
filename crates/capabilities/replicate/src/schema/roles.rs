//! What a dump of one database does not hold: roles, memberships, settings. Listed as SQL, never with secrets.

use atalaya_catalog::{setting_scope, setting_sql};
use atalaya_data::quote_identifier;
use atalaya_postgres::Session;

use crate::Error;

/// SQL that an administrator of the target may want to run: roles and settings that are missing there.
pub(crate) async fn roles_as_sql(source: &Session, target: &Session) -> Result<Vec<String>, Error> {
    let existing: Vec<String> = target
        .query("SELECT rolname::text FROM pg_catalog.pg_roles", &[])
        .await?
        .iter()
        .map(|row| row.get(0))
        .collect();
    let mut sql = Vec::new();
    let roles = source
        .query(
            "SELECT rolname::text, rolcanlogin, rolcreatedb, rolcreaterole, rolreplication, rolinherit
               FROM pg_catalog.pg_roles WHERE rolname NOT LIKE 'pg\\_%' ORDER BY 1",
            &[],
        )
        .await?;
    for row in roles {
        let name: String = row.get(0);
        if existing.contains(&name) {
            continue;
        }
        let mut words = vec![format!("CREATE ROLE {}", quote_identifier(&name))];
        for (column, yes, no) in [
            (1, "LOGIN", "NOLOGIN"),
            (2, "CREATEDB", ""),
            (3, "CREATEROLE", ""),
            (4, "REPLICATION", ""),
            (5, "", "NOINHERIT"),
        ] {
            let word = if row.get::<_, bool>(column) { yes } else { no };
            if !word.is_empty() {
                words.push(word.to_owned());
            }
        }
        sql.push(format!("{};", words.join(" ")));
    }
    let memberships = source
        .query(
            "SELECT DISTINCT g.rolname::text, m.rolname::text FROM pg_catalog.pg_auth_members a
               JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles m ON m.oid = a.member
              WHERE m.rolname NOT LIKE 'pg\\_%' ORDER BY 1, 2",
            &[],
        )
        .await?;
    for row in memberships {
        let (group, member): (String, String) = (row.get(0), row.get(1));
        if !existing.contains(&member) {
            sql.push(format!("GRANT {} TO {};", quote_identifier(&group), quote_identifier(&member)));
        }
    }
    sql.extend(settings_as_sql(source, target).await?);
    Ok(sql)
}

async fn settings_as_sql(source: &Session, target: &Session) -> Result<Vec<String>, Error> {
    let target_database: String = target.query_one("SELECT current_database()::text", &[]).await?.get(0);
    let rows = source
        .query(
            "SELECT r.rolname::text, s.setdatabase <> 0, pg_catalog.split_part(c.setting, '=', 1),
                    pg_catalog.substr(c.setting, pg_catalog.strpos(c.setting, '=') + 1)
               FROM pg_catalog.pg_db_role_setting s
               LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
               LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
               CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c(setting)
              WHERE s.setdatabase = 0 OR d.datname = pg_catalog.current_database()
              ORDER BY 1 NULLS FIRST, 3",
            &[],
        )
        .await?;
    let mut sql = Vec::new();
    for row in rows {
        let (role, in_database): (Option<String>, bool) = (row.get(0), row.get(1));
        let (name, value): (String, String) = (row.get(2), row.get(3));
        let scope = setting_scope(role.as_deref(), in_database.then_some(target_database.as_str()));
        sql.push(setting_sql(&scope, &name, &value));
    }
    Ok(sql)
}

/// Owners of the source's objects that the target's role may not act as, and roles with privileges that are not
/// on the target. The schema `public` has its owner from initdb, which no dump restores; nor does one hold our own, which
/// another move of this source may have made.
pub(crate) async fn lost_owners(source: &Session, target: &Session) -> Result<Vec<String>, Error> {
    let rows = source
        .query(
            "SELECT pg_catalog.pg_get_userbyid(role)::text, pg_catalog.bool_or(owns) FROM (
                 SELECT c.relowner AS role, true AS owns
                   FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                  WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'atalaya')
                    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass
                                       AND d.objid = c.oid AND d.deptype = 'e')
                 UNION SELECT nspowner, true FROM pg_catalog.pg_namespace
                  WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('information_schema', 'public', 'atalaya')
                 UNION SELECT a.grantee, false
                   FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
                        pg_catalog.aclexplode(c.relacl) AS a
                  WHERE a.grantee <> 0 AND n.nspname NOT LIKE 'pg\\_%'
                    AND n.nspname NOT IN ('information_schema', 'atalaya')
             ) AS named GROUP BY 1 ORDER BY 1",
            &[],
        )
        .await?;
    let mut lost = Vec::new();
    for row in rows {
        let (role, owns): (String, bool) = (row.get(0), row.get(1));
        let restorable = target
            .query_one(
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1
                                   AND (NOT $2 OR pg_catalog.pg_has_role(oid, 'MEMBER')))",
                &[&role, &owns],
            )
            .await?;
        if !restorable.get::<_, bool>(0) {
            lost.push(role);
        }
    }
    Ok(lost)
}
