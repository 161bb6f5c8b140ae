//! A database's schema as one SQL script, for a copy of it elsewhere. Reads the catalog only: no row is asked for.

use std::path::Path;

use atalaya_estate::ConnectionUrl;

use super::{ClientTools, Ownership};
use crate::Error;

/// The schema of a database as pg_dump writes it, without publications, subscriptions, tablespaces and rows.
///
/// `client_tools` is the folder of a pg_dump that is not older than the server.
///
/// # Errors
/// When pg_dump cannot be run, may not read the schema, or waits longer than 30 s for a table's lock.
pub async fn schema_as_sql(source: &ConnectionUrl, client_tools: &Path, ownership: Ownership) -> Result<String, Error> {
    let mut arguments = vec![
        "--schema-only",
        "--no-publications",
        "--no-subscriptions",
        "--no-tablespaces",
        "--encoding=UTF8",
        "--exclude-schema=atalaya",
        "--lock-wait-timeout=30s",
    ];
    if ownership == Ownership::Taken {
        arguments.extend(["--no-owner", "--no-privileges"]);
    }
    let arguments: Vec<_> = arguments.into_iter().map(Into::into).collect();
    let sql = ClientTools::in_folder(client_tools).run("pg_dump", &arguments, Some(source)).await?;
    String::from_utf8(sql).map_err(|_| Error::Broken("the schema dump is not UTF-8"))
}
