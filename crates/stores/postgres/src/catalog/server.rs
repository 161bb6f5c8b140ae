//! Which server it is: what a stored position is bound to.

use crate::{Error, Session};

/// What tells one server's log from another's.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ServerIdentity {
    /// `pg_control_system().system_identifier`; shared by a primary, its standbys and restored clones.
    pub system_identifier: i64,
    /// The timeline, which a promotion raises.
    pub timeline: i32,
    /// The database's name.
    pub database: String,
    /// The database's OID.
    pub database_oid: u32,
}

/// Reads the identity of the server and database a session is connected to.
///
/// # Errors
/// The server's.
pub async fn read_identity(session: &Session) -> Result<ServerIdentity, Error> {
    let row = session
        .query_one(
            "SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system()),
                    (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()),
                    d.datname::text, d.oid
               FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()",
            &[],
        )
        .await?;
    Ok(ServerIdentity {
        system_identifier: row.get(0),
        timeline: row.get(1),
        database: row.get(2),
        database_oid: row.get(3),
    })
}
