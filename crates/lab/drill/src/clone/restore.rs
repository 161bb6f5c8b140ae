//! Restores a script into an empty database, entry by entry: what fails is left out, with why.

use std::collections::BTreeSet;

use atalaya_data::{chain, quote_identifier};
use atalaya_postgres::Session;

use super::{Entry, Script};
use crate::Error;
use crate::report::LeftOut;

/// Roles that one entry may still lack after as many tries as this are not made.
const ROLES_PER_ENTRY_MAX: usize = 100;
const UNDEFINED_OBJECT: &str = "42704";
const DUPLICATE_SCHEMA: &str = "42P06";
/// As pg_dump's own scripts begin; functions may speak of what comes later.
const SETTINGS: &str = "SET check_function_bodies = false; SET client_min_messages = warning; SET row_security = off;
    SET xmloption = content; SET statement_timeout = '5min'";

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Restored {
    pub(crate) entries: u64,
    /// Roles that the schema names; they cannot log in.
    pub(crate) roles: BTreeSet<String>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// Restores what can be restored.
pub(crate) async fn restore(session: &Session, script: &Script) -> Result<Restored, Error> {
    session.batch(SETTINGS).await?;
    let mut restored = Restored::default();
    for entry in &script.entries {
        match restore_entry(session, entry, &mut restored.roles).await {
            Ok(()) => restored.entries += 1,
            Err(error) if session.is_closed() => return Err(error.into()),
            // Made with the database.
            Err(error) if error.sqlstate() == Some(DUPLICATE_SCHEMA) => {}
            Err(error) => restored.left_out.push(LeftOut {
                kind: entry.kind.clone(),
                name: entry.name.clone(),
                why: said(&error),
            }),
        }
    }
    Ok(restored)
}

async fn restore_entry(
    session: &Session,
    entry: &Entry,
    roles: &mut BTreeSet<String>,
) -> Result<(), atalaya_postgres::Error> {
    for _ in 0..ROLES_PER_ENTRY_MAX {
        let Err(error) = session.batch(&entry.sql).await else { return Ok(()) };
        match missing_role(&error).filter(|role| !roles.contains(role)) {
            Some(role) => {
                make_role(session, &role).await?;
                roles.insert(role);
            }
            None => return Err(error),
        }
    }
    session.batch(&entry.sql).await
}

/// Makes a role that cannot log in and owns what it is told to.
pub(crate) async fn make_role(session: &Session, role: &str) -> Result<(), atalaya_postgres::Error> {
    session.batch(&format!("CREATE ROLE {} NOLOGIN", quote_identifier(role))).await
}

fn missing_role(error: &atalaya_postgres::Error) -> Option<String> {
    if error.sqlstate() != Some(UNDEFINED_OBJECT) {
        return None;
    }
    let atalaya_postgres::Error::Server { source, .. } = error else { return None };
    Some(source.message.strip_prefix("role \"")?.strip_suffix("\" does not exist")?.to_owned())
}

/// What a server said, without what was being done.
pub(crate) fn said(error: &atalaya_postgres::Error) -> String {
    match error {
        atalaya_postgres::Error::Server { source, .. } => source.message.clone(),
        other => chain(other),
    }
}
