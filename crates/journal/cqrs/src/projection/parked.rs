//! Events that were set aside, by key and in their order.

use std::collections::BTreeSet;

use atalaya_eventstore::{
    Direction, Event, Position, Ran, Read, Selection, Statement, Store, Tables, TablesError, Value,
};

use super::batch::{Effects, statements_of};
use super::bookkeeping::{identity, stored};
use super::{Names, Projection, ProjectionError};

/// The longest reason that is kept.
const REASON_BYTES: usize = 500;

/// Which of these keys have something set aside.
pub(super) async fn parked_keys(
    tables: &Tables,
    projection: &dyn Projection,
    keys: &BTreeSet<String>,
) -> Result<BTreeSet<String>, ProjectionError> {
    let mut parked = BTreeSet::new();
    for key in keys {
        let sql = "SELECT 1 FROM atalaya_projection_parked WHERE name = $1 AND version = $2 AND key = $3 LIMIT 1";
        let values = [identity(projection), vec![Value::from(key.as_str())]].concat();
        if !tables.query(Statement::new(sql, values)).await?.is_empty() {
            parked.insert(key.clone());
        }
    }
    Ok(parked)
}

/// How many events are set aside.
pub(super) async fn count(tables: &Tables, projection: &dyn Projection) -> Result<u64, ProjectionError> {
    let sql = "SELECT count(*) FROM atalaya_projection_parked WHERE name = $1 AND version = $2";
    let rows = tables.query(Statement::new(sql, identity(projection))).await?;
    let count = rows.first().and_then(|row| row.first()).and_then(Value::as_integer);
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}

/// The statement that sets an event aside, and writes down whether its side effects are owed.
pub(super) fn park(
    projection: &dyn Projection,
    key: &str,
    position: Position,
    reason: &str,
    effects: Effects,
) -> Statement {
    let mut reason = reason.to_owned();
    reason.truncate(reason.floor_char_boundary(REASON_BYTES));
    let owed = Value::Boolean(effects == Effects::Happen);
    Statement::new(
        "INSERT INTO atalaya_projection_parked (name, version, key, position, reason, effects)
         VALUES ($1, $2, $3, $4, $5, $6)",
        [identity(projection), vec![Value::from(key), stored(position), Value::from(reason), owed]].concat(),
    )
}

/// Tries what was set aside under a key again, in its order, up to the first that still cannot be projected; how many could.
pub(super) async fn retry(
    store: &Store,
    tables: &Tables,
    projection: &dyn Projection,
    key: &str,
) -> Result<u64, ProjectionError> {
    let mut done = 0;
    loop {
        let sql = "SELECT position, CASE WHEN effects THEN 1 ELSE 0 END FROM atalaya_projection_parked
                    WHERE name = $1 AND version = $2 AND key = $3 ORDER BY position LIMIT 1";
        let values = [identity(projection), vec![Value::from(key)]].concat();
        let rows = tables.query(Statement::new(sql, values)).await?;
        let number = |at: usize| rows.first().and_then(|row| row.get(at)).and_then(Value::as_integer);
        let (Some(position), Some(owed)) = (number(0), number(1)) else { return Ok(done) };
        let effects = if owed == 0 { Effects::HeldBack } else { Effects::Happen };
        let Some(event) = event_at(store, position).await? else { return Ok(done) };
        let names = Names::new(projection.version());
        let Ok(mut statements) = statements_of(projection, &event, &names, effects) else { return Ok(done) };
        let sql = "DELETE FROM atalaya_projection_parked WHERE name = $1 AND version = $2 AND position = $3";
        let values = [identity(projection), vec![Value::Integer(position)]].concat();
        // Whoever deletes the row projects the event: nobody does it twice.
        statements.insert(0, Statement::new(sql, values).touching(1));
        match tables.run(statements).await {
            Ok(Ran::Committed(_)) => done += 1,
            // Somebody else has done it meanwhile.
            Ok(Ran::Unexpected { statement: 0, .. }) => {}
            Ok(Ran::Unexpected { .. }) | Err(TablesError::Refused { .. }) => return Ok(done),
            Err(error) => return Err(error.into()),
        }
    }
}

async fn event_at(store: &Store, position: i64) -> Result<Option<Event>, ProjectionError> {
    let from = u64::try_from(position).ok();
    let read = Read { selection: Selection::All, direction: Direction::Forward, from, limit: 1 };
    Ok(store.read(read).await?.events.pop())
}
