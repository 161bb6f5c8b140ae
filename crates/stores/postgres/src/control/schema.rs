//! Making and removing the schema `atalaya` on the target.

use crate::{Error, Session};

/// Creates our schema where it is missing; harmless where it stands. Does not wait for the target's disk: without a row in
/// it there is nothing to lose, and the commit that writes the first one takes it along.
///
/// # Errors
/// The server's: the role needs CREATE on the database.
pub async fn install_schema(target: &Session) -> Result<(), Error> {
    target
        .batch(&format!(
            "BEGIN; SET LOCAL client_min_messages = warning; SET LOCAL synchronous_commit = off; {}; COMMIT",
            include_str!("schema.sql")
        ))
        .await
}

/// Whether our schema is there.
///
/// # Errors
/// The server's.
pub async fn is_installed(target: &Session) -> Result<bool, Error> {
    Ok(target.query_one("SELECT pg_catalog.to_regclass('atalaya.migration') IS NOT NULL", &[]).await?.get(0))
}

/// What `schema.sql` makes.
const TABLES: &[&str] = &[
    "migration",
    "progress",
    "activity",
    "tables",
    "copy_ranges",
    "steps",
    "silenced",
    "control",
    "repair_rows",
    "conflicts",
    "conflict_counts",
    "proof_tables",
    "touched",
    "proof",
];

/// Removes our tables, and our schema where nothing else is in it; harmless where there is none. The table of fences stays: it
/// knows which epochs are over, and what lifts one that stands.
///
/// A server may be the source of another move at the same time: the function of that one's event trigger is in this
/// schema, too, and without it every change of the application's schema would pass unseen, or fail.
///
/// # Errors
/// The server's.
pub async fn drop_schema(target: &Session) -> Result<(), Error> {
    let tables = TABLES.iter().map(|table| format!("atalaya.{table}")).collect::<Vec<_>>().join(", ");
    target
        .batch(&format!(
            "BEGIN; SET LOCAL client_min_messages = warning; DROP TABLE IF EXISTS {tables} CASCADE;
             DO $$ BEGIN DROP SCHEMA IF EXISTS atalaya;
                   EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN NULL; END $$; COMMIT"
        ))
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_that_is_made_is_removed() {
        let made = include_str!("schema.sql").lines().filter_map(|line| {
            line.strip_prefix("CREATE TABLE IF NOT EXISTS atalaya.").and_then(|rest| rest.split_whitespace().next())
        });
        assert_eq!(made.collect::<Vec<_>>(), TABLES);
    }
}
