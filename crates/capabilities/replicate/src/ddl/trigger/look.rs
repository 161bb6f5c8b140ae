//! Whether the event trigger stands as it was made.

use atalaya_postgres::Session;

use super::{SCHEMA, body, names};
use crate::Error;

/// How the trigger was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TriggerState {
    /// As this version makes it.
    Whole,
    /// Gone.
    Gone,
    /// Altered, disabled, or made by another version.
    Altered,
}

/// Looks at a migration's trigger.
pub(crate) async fn look(source: &Session, slot: &str) -> Result<TriggerState, Error> {
    let row = source
        .query_one(
            "SELECT count(*), count(*) FILTER (WHERE e.evtname = ANY ($3) AND e.evtenabled = 'A' AND p.prosrc = $4)
               FROM pg_catalog.pg_event_trigger e JOIN pg_catalog.pg_proc p ON p.oid = e.evtfoid
               JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
              WHERE n.nspname = $1 AND p.proname = $2",
            &[&SCHEMA, &slot, &names(slot), &body(slot)],
        )
        .await?;
    let (there, whole): (i64, i64) = (row.get(0), row.get(1));
    let all = i64::try_from(names(slot).len()).unwrap_or(i64::MAX);
    Ok(match (there, whole) {
        (0, _) => TriggerState::Gone,
        (_, whole) if whole == all => TriggerState::Whole,
        _ => TriggerState::Altered,
    })
}

/// Triggers of migrations with these slots, by their functions, which go last.
pub(crate) async fn find(source: &Session, slots: &[String]) -> Result<Vec<String>, Error> {
    let rows = source
        .query(
            "SELECT p.proname::text FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
              WHERE n.nspname = $1 AND p.proname = ANY ($2)",
            &[&SCHEMA, &slots],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
