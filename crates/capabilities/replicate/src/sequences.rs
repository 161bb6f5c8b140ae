//! Sequences: where the source's stand, never where a column's largest value is.

use atalaya_data::Lsn;
use atalaya_postgres::Session;
use atalaya_postgres::catalog::{read_sequences, set_sequence};

use crate::{Error, Plan};

/// Sets every sequence that moves, and that the target has, to the source's `last_value` and `is_called`.
pub(crate) async fn follow(plan: &Plan, source: &Session, target: &Session) -> Result<(), Error> {
    let existing: std::collections::HashSet<_> =
        read_sequences(target).await?.into_iter().map(|state| state.name).collect();
    for state in read_sequences(source).await? {
        if state.chosen_by(&plan.tables) && existing.contains(&state.name) {
            set_sequence(target, &state).await?;
        }
    }
    Ok(())
}

/// The position up to which the source has flushed its log: what is committed is before it.
pub(crate) async fn current_lsn(source: &Session) -> Result<Lsn, Error> {
    let row = source.query_one("SELECT pg_catalog.pg_current_wal_flush_lsn()::text", &[]).await?;
    row.get::<_, String>(0).parse().map_err(|_| Error::Broken("the source's position cannot be read"))
}
