//! What a server says of a database's rights, and of the fence that stands.

use atalaya_postgres::Session;
use atalaya_postgres::control::{ClientFence, client_fence};

use super::acl::{Entry, Grantable, Grantee, Privilege};
use super::plan::{Plan, Power, Rights};
use super::{FenceError, statements};

/// Makes the table of fences in this database where it is missing.
///
/// # Errors
/// The server's: the role needs CREATE on the database.
pub async fn prepare(session: &Session) -> Result<(), FenceError> {
    Ok(session.batch(statements::TABLE).await?)
}

/// Whether nobody but the fencing role or a superuser can write the statement that lifts a fence, where there is a table of
/// them: whoever lifts runs it.
///
/// # Errors
/// [`FenceError::Owner`] where somebody else can.
pub async fn trust(session: &Session) -> Result<(), FenceError> {
    let sql = "SELECT r.rolname::text, o.what
                 FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = 'fence',
                      LATERAL (VALUES (n.nspowner, 'SCHEMA atalaya'), (c.relowner, 'TABLE atalaya.fence')) AS o(owner, what)
                      JOIN pg_catalog.pg_roles r ON r.oid = o.owner
                WHERE n.nspname = 'atalaya' AND NOT r.rolsuper AND r.rolname <> session_user LIMIT 1";
    match session.query_opt(sql, &[]).await? {
        Some(row) => Err(FenceError::Owner { owner: row.get(0), what: row.get(1) }),
        None => Ok(()),
    }
}

/// How the fence of a route stands; as if none was ever raised where there is no table of them.
///
/// # Errors
/// The server's.
pub async fn standing(session: &Session, route: &str) -> Result<ClientFence, FenceError> {
    Ok(client_fence(session, route).await?)
}

/// The plan for the database that this session is in, as its rights are now.
///
/// # Errors
/// [`FenceError::Stands`] where a fence is up: what is seen then are not the rights that it has to give back.
pub async fn plan(session: &Session, route: &str) -> Result<Plan, FenceError> {
    let standing = standing(session, route).await?;
    if standing.is_up() {
        return Err(FenceError::Stands { epoch: Some(standing.raised) });
    }
    Ok(Plan::of(rights(session).await?))
}

/// The rights on the database that this session is in.
pub(crate) async fn rights(session: &Session) -> Result<Rights, FenceError> {
    let sql = "SELECT d.datname::text, o.rolname::text, d.datacl::text, r.rolname::text, r.rolsuper
                 FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles o ON o.oid = d.datdba,
                      pg_catalog.pg_roles r
                WHERE d.datname = pg_catalog.current_database() AND r.rolname = session_user";
    let row = session.query_one(sql, &[]).await?;
    let sql = "SELECT i.place, e.grantee = 0, g.rolname::text, coalesce(b.rolname::text, ''), e.privilege_type, e.is_grantable
                 FROM pg_catalog.pg_database d,
                      LATERAL pg_catalog.unnest(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba)))
                              WITH ORDINALITY AS i(item, place),
                      LATERAL pg_catalog.aclexplode(ARRAY[i.item]) AS e
                      LEFT JOIN pg_catalog.pg_roles g ON g.oid = e.grantee
                      LEFT JOIN pg_catalog.pg_roles b ON b.oid = e.grantor
                WHERE d.datname = pg_catalog.current_database() ORDER BY i.place";
    let mut entries: Vec<Entry> = Vec::new();
    let mut last = None;
    for item in session.query(sql, &[]).await? {
        let place: i64 = item.get(0);
        let Some(privilege) = Privilege::parse(item.get(4)) else { continue };
        let grantable = if item.get(5) { Grantable::Yes } else { Grantable::No };
        if last == Some(place) {
            if let Some(entry) = entries.last_mut() {
                entry.rights.push((privilege, grantable));
            }
            continue;
        }
        last = Some(place);
        let public: bool = item.get(1);
        let role = item.get::<_, Option<String>>(2).filter(|_| !public);
        let grantee = role.map_or(Grantee::Public, Grantee::Role);
        entries.push(Entry { grantee, grantor: item.get(3), rights: vec![(privilege, grantable)] });
    }
    Ok(Rights {
        database: row.get(0),
        owner: row.get(1),
        text: row.get(2),
        entries,
        role: row.get(3),
        power: if row.get(4) { Power::Superuser } else { Power::Ordinary },
    })
}
