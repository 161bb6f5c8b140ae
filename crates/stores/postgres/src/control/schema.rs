//! Making and removing the schema `atalaya` on the target.

use crate::{Error, Session};

/// Creates our schema where it is missing; harmless where it stands.
///
/// # Errors
/// The server's: the role needs CREATE on the database.
pub async fn install_schema(target: &Session) -> Result<(), Error> {
    target
        .batch(&format!("BEGIN; SET LOCAL client_min_messages = warning; {}; COMMIT", include_str!("schema.sql")))
        .await
}

/// Whether our schema is there.
///
/// # Errors
/// The server's.
pub async fn is_installed(target: &Session) -> Result<bool, Error> {
    Ok(target.query_one("SELECT pg_catalog.to_regclass('atalaya.migration') IS NOT NULL", &[]).await?.get(0))
}

/// Removes our schema with everything in it; harmless where there is none.
///
/// # Errors
/// The server's.
pub async fn drop_schema(target: &Session) -> Result<(), Error> {
    target
        .batch("SET client_min_messages = warning; DROP SCHEMA IF EXISTS atalaya CASCADE; RESET client_min_messages")
        .await
}
