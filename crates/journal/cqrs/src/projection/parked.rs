//! Events that were set aside, by key and in their order.

use std::collections::BTreeSet;

use atalaya_eventstore::{Direction, Event, Position, Read, Selection, Statement, Store, Tables, TablesError, Value};

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

/// The statement that sets an event aside.
pub(super) fn park(projection: &dyn Projection, key: &str, position: Position, reason: &str) -> Statement {
    let mut reason = reason.to_owned();
    reason.truncate(reason.floor_char_boundary(REASON_BYTES));
    Statement::new(
        "INSERT INTO atalaya_projection_parked (name, version, key, position, reason) VALUES ($1, $2, $3, $4, $5)",
        [identity(projection), vec![Value::from(key), stored(position), Value::from(reason)]].concat(),
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
        let sql = "SELECT position FROM atalaya_projection_parked
                    WHERE name = $1 AND version = $2 AND key = $3 ORDER BY position LIMIT 1";
        let values = [identity(projection), vec![Value::from(key)]].concat();
        let rows = tables.query(Statement::new(sql, values)).await?;
        let Some(position) = rows.first().and_then(|row| row.first()).and_then(Value::as_integer) else {
            return Ok(done);
        };
        let Some(event) = event_at(store, position).await? else { return Ok(done) };
        let Ok(mut statements) = projection.project(&event, &Names::new(projection.version())) else { return Ok(done) };
        let sql = "DELETE FROM atalaya_projection_parked WHERE name = $1 AND version = $2 AND position = $3";
        let values = [identity(projection), vec![Value::Integer(position)]].concat();
        // Whoever deletes the row projects the event: nobody does it twice.
        statements.insert(0, Statement::new(sql, values).touching(1));
        match tables.run(statements).await {
            Ok(_) => done += 1,
            Err(TablesError::Refused { .. }) => return Ok(done),
            Err(error) => return Err(error.into()),
        }
    }
}

async fn event_at(store: &Store, position: i64) -> Result<Option<Event>, ProjectionError> {
    let from = u64::try_from(position).ok();
    let read = Read { selection: Selection::All, direction: Direction::Forward, from, limit: 1 };
    Ok(store.read(read).await?.events.pop())
}
