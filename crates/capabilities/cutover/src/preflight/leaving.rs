//! What the server says that clients are on.

use atalaya_data::quote_identifier;
use atalaya_postgres::Session;

use super::check::Seen;
use super::rights::{self, Missing};
use super::{neighbours, transactions};
use crate::Error;
use crate::course::{Course, Means};
use crate::fence::{self, FenceError, Rights};

/// The most roles that one finding names.
const NAMES: usize = 20;

pub(super) async fn look(course: &Course, means: &Means, seen: &mut Seen) -> Result<(), Error> {
    let url = means.url(course, &course.from)?;
    let looked = async {
        let session = Session::connect_for_control(url, "atalaya cutover").await?;
        let rights = fence::rights(&session).await?;
        standing(&session, course, means, seen).await?;
        others_as_us(&session, &rights, means, seen).await?;
        may_fence(&session, &rights, seen).await?;
        unfenced(&session, &rights, seen).await?;
        open_transactions(&session, means, seen).await?;
        transactions::elsewhere(&session, &course.from, seen).await?;
        neighbours::look(&session, course, means, seen).await
    };
    if let Err(error) = looked.await {
        for id in [
            "fence-rights",
            "fence-standing",
            "unfenced-roles",
            "prepared-transactions",
            "long-transactions",
            "other-databases",
        ] {
            seen.fail(id, atalaya_data::chain(&error), "see that the server can be reached as the estate file says");
        }
    }
    Ok(())
}

async fn standing(session: &Session, course: &Course, means: &Means, seen: &mut Seen) -> Result<(), FenceError> {
    let standing = fence::standing(session, &course.database).await?;
    if !standing.is_up() {
        return Ok(());
    }
    let is_over = means.routes.standing(&course.database).await.is_ok_and(|route| route.open.is_none());
    let text = format!("the fence of epoch {} stands", standing.raised);
    if is_over {
        seen.info("fence-standing", format!("{text}; it is over, and will be lifted first"));
    } else {
        seen.fail("fence-standing", text, "its epoch is open: whoever closes it lifts it");
    }
    Ok(())
}

/// Sessions of the fencing role that are not ours: its right to connect stays, so whoever uses it is not kept out. Ours are
/// known by their names here; a client that takes such a name is not seen.
async fn others_as_us(session: &Session, rights: &Rights, means: &Means, seen: &mut Seen) -> Result<(), FenceError> {
    const ID: &str = "fence-rights";
    const REMEDY: &str =
        "the fence leaves its own role in: have the application log in as another one, and end such sessions";
    if means.client_roles.contains(&rights.role) {
        let text = format!("the gateways log clients in as the fencing role `{}`", rights.role);
        seen.fail(ID, text, REMEDY);
    }
    let sql = "SELECT a.pid FROM pg_catalog.pg_stat_activity a
                WHERE a.datname = pg_catalog.current_database() AND a.usename = session_user
                  AND a.pid <> pg_catalog.pg_backend_pid()
                  AND coalesce(a.backend_type, 'client backend') = 'client backend'
                  AND a.application_name NOT LIKE 'atalaya%' ORDER BY 1";
    let rows = session.query(sql, &[]).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let processes: Vec<String> = rows.iter().take(NAMES).map(|row| row.get::<_, i32>(0).to_string()).collect();
    let more = if rows.len() > NAMES { ", ..." } else { "" };
    let (count, role, processes) = (rows.len(), &rights.role, processes.join(", "));
    let text = format!("{count} sessions of the fencing role `{role}` are not ours: processes {processes}{more}");
    seen.fail(ID, text, REMEDY);
    Ok(())
}

async fn may_fence(session: &Session, rights: &Rights, seen: &mut Seen) -> Result<(), FenceError> {
    for Missing { seen: text, remedy } in rights::missing(session, rights).await? {
        seen.fail("fence-rights", text, remedy);
    }
    Ok(())
}

async fn unfenced(session: &Session, rights: &Rights, seen: &mut Seen) -> Result<(), FenceError> {
    const ID: &str = "unfenced-roles";
    let named = async |sql: &str| {
        let rows = session.query(sql, &[]).await?;
        let names: Vec<String> = rows.iter().map(|row| format!("`{}`", row.get::<_, String>(0))).collect();
        Ok::<_, FenceError>((!names.is_empty()).then(|| {
            let more = if names.len() > NAMES { ", ..." } else { "" };
            format!("{}{more}", names.iter().take(NAMES).cloned().collect::<Vec<_>>().join(", "))
        }))
    };
    let superusers = "SELECT rolname::text FROM pg_catalog.pg_roles
                       WHERE rolsuper AND rolcanlogin AND rolname <> session_user ORDER BY 1";
    if let Some(names) = named(superusers).await? {
        let text = format!("superusers are let in always: {names}");
        seen.warn(ID, text, "see that no application logs in as one; ALTER ROLE ... NOLOGIN keeps one out");
    }
    let members = "SELECT r.rolname::text FROM pg_catalog.pg_roles r
                    WHERE r.rolcanlogin AND NOT r.rolsuper AND r.rolname <> session_user
                      AND pg_catalog.pg_has_role(r.oid, session_user, 'USAGE') ORDER BY 1";
    if let Some(names) = named(members).await? {
        let text = format!("members of the fencing role `{}` are let in by its right: {names}", rights.role);
        seen.warn(ID, text, format!("REVOKE {} FROM each of them", quote_identifier(&rights.role)));
    }
    if rights.owner != rights.role {
        let owner = format!(
            "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolcanlogin AND NOT rolsuper AND rolname = {}",
            atalaya_data::quote_literal(&rights.owner)
        );
        if let Some(name) = named(&owner).await? {
            let text =
                format!("the owner of the database, {name}, can give itself back the right from another database");
            seen.warn(ID, text, "nothing, where nobody does so");
        }
    }
    Ok(())
}

async fn open_transactions(session: &Session, means: &Means, seen: &mut Seen) -> Result<(), FenceError> {
    let sql = "SELECT count(*) FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database()";
    let prepared: i64 = session.query_one(sql, &[]).await?.get(0);
    if prepared > 0 {
        seen.fail(
            "prepared-transactions",
            format!("{prepared} prepared transactions are open"),
            "COMMIT PREPARED or ROLLBACK PREPARED each of pg_prepared_xacts",
        );
    }
    let limit_s = means.limits.drain().as_secs_f64();
    let sql = "SELECT a.pid, coalesce(a.usename::text, ''), extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::float8
                 FROM pg_catalog.pg_stat_activity a
                WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
                  AND a.backend_type = 'client backend'
                  AND a.xact_start < pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => $1)
                ORDER BY a.xact_start LIMIT 20";
    for row in session.query(sql, &[&limit_s]).await? {
        let (pid, role, age_s): (i32, String, f64) = (row.get(0), row.get(1), row.get(2));
        seen.warn(
            "long-transactions",
            format!("session {pid} of `{role}` has had a transaction open for {age_s:.1} s"),
            format!("wait for it, or SELECT pg_terminate_backend({pid})"),
        );
    }
    Ok(())
}
