//! Extensions that a server's own figures come from.

use atalaya_data::quote_identifier;
use atalaya_postgres::{Error, Session};

/// The schema, quoted, in which the database has an extension; none where it has not.
pub(crate) async fn schema_of(session: &Session, extension: &str) -> Result<Option<String>, Error> {
    let sql = "SELECT n.nspname::text FROM pg_catalog.pg_extension e
                 JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = $1::text";
    let row = session.query_opt(sql, &[&extension]).await?;
    Ok(row.map(|row| quote_identifier(&row.get::<_, String>(0)).clone()))
}
