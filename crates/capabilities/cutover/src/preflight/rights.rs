//! Whether the fencing role may fence a database: no superuser is needed, and a managed service has none.

use atalaya_data::quote_identifier;
use atalaya_postgres::Session;

use crate::fence::{self, FenceError, Power, Rights};

/// What keeps a role from fencing, and the SQL that helps.
pub(super) struct Missing {
    pub(super) seen: String,
    pub(super) remedy: String,
}

/// Everything that keeps the role from fencing the database that this session is in, or from lifting such a fence.
pub(super) async fn missing(session: &Session, rights: &Rights) -> Result<Vec<Missing>, FenceError> {
    let mut found = Vec::new();
    let mut add = |seen: String, remedy: String| found.push(Missing { seen, remedy });
    if let Err(error) = fence::trust(session).await {
        let FenceError::Owner { what, .. } = &error else { return Err(error) };
        let remedy = format!("ALTER {what} OWNER TO {}", quote_identifier(&rights.role));
        add(error.to_string(), remedy);
    }
    if rights.power == Power::Superuser {
        return Ok(found);
    }
    let role = &rights.role;
    let (database, quoted_role) = (quote_identifier(&rights.database), quote_identifier(role));
    let sql = "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')";
    if !session.query_one(sql, &[]).await?.get::<_, bool>(0) {
        let remedy = format!("GRANT CREATE ON DATABASE {database} TO {quoted_role}");
        add(format!("`{role}` may not make the table by which a fence is known"), remedy);
    }
    if !may_act_as(session, &rights.owner).await? {
        let seen = format!("`{role}` cannot act as `{}`, who owns the database", rights.owner);
        let sql = "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = $1::text::name";
        // Nobody is made a member of a superuser lightly, and on a managed service nobody can be.
        let by_superuser = session.query_opt(sql, &[&rights.owner]).await?.is_some_and(|row| row.get(0));
        add(
            seen,
            match by_superuser {
                true => format!("ALTER DATABASE {database} OWNER TO {quoted_role}"),
                false => format!("GRANT {} TO {quoted_role}", quote_identifier(&rights.owner)),
            },
        );
    }
    let plan = fence::Plan::of(rights.clone());
    let mut grantors: Vec<&str> = plan.grantors().collect();
    grantors.sort_unstable();
    grantors.dedup();
    for grantor in grantors {
        if !may_act_as(session, grantor).await? {
            let seen = format!("`{grantor}` has given rights on the database, and `{role}` cannot act as it");
            add(seen, format!("GRANT {} TO {quoted_role}", quote_identifier(grantor)));
        }
    }
    for (group, what) in [("pg_signal_backend", "end sessions"), ("pg_read_all_stats", "see what sessions there are")] {
        let sql = "SELECT pg_catalog.pg_has_role(session_user, $1::text::name, 'USAGE')";
        if !session.query_one(sql, &[&group]).await?.get::<_, bool>(0) {
            add(format!("`{role}` may not {what}"), format!("GRANT {group} TO {quoted_role}"));
        }
    }
    Ok(found)
}

/// From 16 on a membership need not allow to act as the role.
async fn may_act_as(session: &Session, other: &str) -> Result<bool, FenceError> {
    let how = if session.major() >= 16 { "SET" } else { "MEMBER" };
    let sql = "SELECT pg_catalog.pg_has_role(session_user, $1::text::name, $2)";
    Ok(session.query_one(sql, &[&other, &how]).await?.get(0))
}
