//! Both publications get the other direction's marker.

use atalaya_data::{quote_identifier, quote_literal};
use atalaya_postgres::Session;

use super::pair::marker_entry;
use crate::progress::Migration;
use crate::run::{alter_publication, forget_unpublished};
use crate::{Error, Plan};

/// Has a server publish its `atalaya.progress` with a migration's tables; answers with its entry there.
///
/// To be called before anything is written to the table under the migration's name. The rows of other migrations may be
/// written to all the time: a walsender that has such a transaction in hand may keep in mind that the table is not
/// published (see [`forget_unpublished`]).
pub(super) async fn publish_marker(plan: &Plan, server: &Session, migration: &Migration) -> Result<u32, Error> {
    if let Some(entry) = marker_entry(server, &migration.publication).await? {
        return Ok(entry);
    }
    let name = quote_identifier(&migration.publication);
    let sql = match there(server, &migration.publication).await? {
        true => format!("ALTER PUBLICATION {name} ADD TABLE ONLY atalaya.progress"),
        false => {
            let comment = quote_literal(&crate::abort::comment_of(&migration.name));
            format!(
                "CREATE PUBLICATION {name} FOR TABLE ONLY atalaya.progress; COMMENT ON PUBLICATION {name} IS {comment}"
            )
        }
    };
    alter_publication(server, &sql).await?;
    let others: bool = server
        .query_one("SELECT EXISTS (SELECT FROM atalaya.progress WHERE migration <> $1)", &[&migration.name])
        .await?
        .get(0);
    if others {
        forget_unpublished(plan, server, migration).await?;
    }
    let entry = marker_entry(server, &migration.publication).await?;
    entry.ok_or(Error::Broken("a table that was published is not"))
}

/// Whether a publication is there.
pub(super) async fn there(server: &Session, publication: &str) -> Result<bool, Error> {
    let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = $1)";
    Ok(server.query_one(sql, &[&publication]).await?.get(0))
}

/// Takes the marker out again, where it is published.
pub(super) async fn unpublish_marker(server: &Session, migration: &Migration) -> Result<(), Error> {
    if marker_entry(server, &migration.publication).await?.is_some() {
        let name = quote_identifier(&migration.publication);
        alter_publication(server, &format!("ALTER PUBLICATION {name} DROP TABLE ONLY atalaya.progress")).await?;
    }
    Ok(())
}
