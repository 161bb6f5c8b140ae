//! Sequences: where the source's stand, never where a column's largest value is.
//!
//! They are outside transactions, and nothing in the stream tells of them. What the source's say when they are read
//! covers every row that was applied before: whoever drew a number for one of them had drawn it by then.

use std::collections::{HashMap, HashSet};

use atalaya_data::{Lsn, RelationName};
use atalaya_postgres::Session;
use atalaya_postgres::catalog::{SequenceState, read_sequence_values, read_sequences, set_sequences};

use crate::{Direction, Error, Plan};

/// Sets every sequence that moves, and that the target has, to the source's `last_value` and `is_called`; those that
/// stand there already are left alone. Answers with those that move and that the target does not have.
///
/// Where there is a way back, clients may be on either side, and a number that was drawn must never be drawn again: then
/// this sets nothing and answers with none, and whoever leads clients over does it while they stand still. The same where
/// clients are on the target, whatever has become of the way back.
pub(crate) async fn follow(
    plan: &Plan,
    source: &Session,
    target: &Session,
) -> Result<Option<Vec<RelationName>>, Error> {
    if plan.options.direction == Direction::Back {
        return Ok(None);
    }
    // The row is locked, so that no way back comes about before what was read is set.
    let sql = "SELECT NOT (options ? 'way_back') AND coalesce(options ->> 'serving', 'source') = 'source'
                 FROM atalaya.migration WHERE name = $1 FOR SHARE";
    target.batch("BEGIN").await?;
    let followed = async {
        match target.query_opt(sql, &[&plan.name.as_str()]).await?.is_some_and(|row| row.get(0)) {
            true => set(plan, source, target).await.map(Some),
            false => Ok(None),
        }
    };
    match followed.await {
        Ok(missing) => target.batch("COMMIT").await.map(|()| missing).map_err(Error::from),
        Err(error) => {
            // The error is what counts; a session that is lost has rolled back already.
            let _rolled_back = target.batch("ROLLBACK").await;
            Err(error)
        }
    }
}

/// The same, whether or not there is a way back: nobody draws from the target's.
pub(crate) async fn set(plan: &Plan, source: &Session, target: &Session) -> Result<Vec<RelationName>, Error> {
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

/// Sequences that are carried over while clients are led from one server to the other.
#[derive(Clone, Debug)]
pub struct CarriedSequences {
    states: Vec<SequenceState>,
}

impl CarriedSequences {
    /// Finds the sequences of the move that both servers have, while clients still draw from one of them.
    ///
    /// # Errors
    /// The servers'.
    pub async fn prepare(plan: &Plan, source: &Session, target: &Session) -> Result<Self, Error> {
        let there: HashSet<RelationName> = read_sequences(target).await?.into_iter().map(|state| state.name).collect();
        let mut states = read_sequences(source).await?;
        states.retain(|state| state.chosen_by(&plan.tables) && there.contains(&state.name));
        Ok(Self { states })
    }

    /// Sets each on the one server exactly as it stands on the other, once nobody draws from either: one statement to read
    /// and one to set for each two hundred. Answers with their number.
    ///
    /// # Errors
    /// The servers', also where a sequence is gone by now.
    pub async fn carry(&mut self, from: &Session, to: &Session) -> Result<usize, Error> {
        read_sequence_values(from, &mut self.states).await?;
        set_sequences(to, &self.states).await?;
        Ok(self.states.len())
    }
}

/// The position up to which the source has flushed its log: what is committed is before it.
pub(crate) async fn current_lsn(source: &Session) -> Result<Lsn, Error> {
    let row = source.query_one("SELECT pg_catalog.pg_current_wal_flush_lsn()::text", &[]).await?;
    row.get::<_, String>(0).parse().map_err(|_| Error::Broken("the source's position cannot be read"))
}
