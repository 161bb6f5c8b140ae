//! Writing a conflict down where an operator finds it.

use atalaya_postgres::Session;

use super::Conflict;
use crate::Error;

/// Keeps a conflict in `atalaya.conflicts`, in a transaction of its own: the one that met it is rolled back.
pub(crate) async fn record(target: &Session, migration: &str, conflict: &Conflict) -> Result<(), Error> {
    target
        .execute(
            "INSERT INTO atalaya.conflicts (migration, schema, name, kind, commit_lsn, policy)
             VALUES ($1, $2, $3, $4, ($5::text)::pg_lsn, 'stop')",
            &[
                &migration,
                &conflict.relation.schema,
                &conflict.relation.name,
                &conflict.kind.as_str(),
                &conflict.commit_lsn.to_string(),
            ],
        )
        .await?;
    Ok(())
}
