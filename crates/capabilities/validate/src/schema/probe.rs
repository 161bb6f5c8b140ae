//! Asks the target how it spells the source's query: versions write the same one differently.
//!
//! The query becomes a temporary view in a transaction that is rolled back; nothing is run, and nothing stays.

use atalaya_postgres::Session;

use crate::Error;

/// Whether two spellings mean the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Same,
    Different,
    /// The target cannot parse the source's spelling (a name of it is missing), or the role may make no view.
    Unknown,
}

/// Compares a source's query with the target's own spelling of another.
pub(crate) async fn probe(target: &Session, source_query: &str, target_query: &str) -> Result<Verdict, Error> {
    let made = target.batch(&format!("BEGIN; CREATE TEMPORARY VIEW atalaya_probe AS {source_query}")).await;
    let spelled = match made {
        Ok(()) => {
            let spelled =
                "SELECT pg_catalog.rtrim(pg_catalog.pg_get_viewdef('pg_temp.atalaya_probe'::pg_catalog.regclass), ';')";
            target.query_one(spelled, &[]).await.map(|row| Some(row.get::<_, String>(0)))
        }
        Err(error) if error.sqlstate().is_some() => Ok(None),
        Err(error) => Err(error),
    };
    target.batch("ROLLBACK").await?;
    Ok(match spelled? {
        Some(spelled) if spelled == target_query => Verdict::Same,
        Some(_) => Verdict::Different,
        None => Verdict::Unknown,
    })
}
