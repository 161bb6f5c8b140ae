//! Sequences: where the source's stand, never where a column's largest value is.
//!
//! They are outside transactions, and nothing in the stream tells of them. What the source's say when they are read
//! covers every row that was applied before: whoever drew a number for one of them had drawn it by then.

use std::collections::HashMap;

use atalaya_data::{Lsn, RelationName};
use atalaya_postgres::Session;
use atalaya_postgres::catalog::{read_sequences, set_sequences};

use crate::{Error, Plan};

/// Sets every sequence that moves, and that the target has, to the source's `last_value` and `is_called`; those that
/// stand there already are left alone. Answers with those that move and that the target does not have.
pub(crate) async fn follow(plan: &Plan, source: &Session, target: &Session) -> Result<Vec<RelationName>, Error> {
    let there: HashMap<RelationName, (i64, bool)> = read_sequences(target)
        .await?
        .into_iter()
        .map(|state| (state.name, (state.last_value, state.is_called)))
        .collect();
    // Where others write to the target they draw from its sequences: none is set back to where they have been.
    let shared: bool = target
        .query_one(
            "SELECT EXISTS (SELECT FROM atalaya.tables WHERE migration = $1 AND conflicts <> 'stop')",
            &[&plan.name.as_str()],
        )
        .await?
        .get(0);
    let mut missing = Vec::new();
    let mut moved = Vec::new();
    for state in read_sequences(source).await? {
        if !state.chosen_by(&plan.tables) {
            continue;
        }
        match there.get(&state.name) {
            Some(stands) if *stands == (state.last_value, state.is_called) => {}
            Some(stands) if shared && state.ascends && *stands >= (state.last_value, state.is_called) => {}
            Some(_) => moved.push(state),
            None => missing.push(state.name),
        }
    }
    set_sequences(target, &moved).await?;
    Ok(missing)
}

/// The position up to which the source has flushed its log: what is committed is before it.
pub(crate) async fn current_lsn(source: &Session) -> Result<Lsn, Error> {
    let row = source.query_one("SELECT pg_catalog.pg_current_wal_flush_lsn()::text", &[]).await?;
    row.get::<_, String>(0).parse().map_err(|_| Error::Broken("the source's position cannot be read"))
}
