//! Snapshots, each beside the leaf of the event that it ends with: one of a journal with other events is not found.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::super::{stored, unstored};
use super::failure::{failed, held};
use super::write::{begin, now_us};
use crate::{Error, Position, Snapshot, StreamName};

const LOAD: &str = "
    SELECT snapshots.version, snapshots.mark, snapshots.data FROM snapshots JOIN events
        ON events.stream = snapshots.stream AND events.version = snapshots.version AND events.leaf = snapshots.leaf
     WHERE snapshots.stream = ?1";

/// A snapshot of an older state never takes the place of a newer one with the same mark.
const SAVE: &str = "
    INSERT INTO snapshots (stream, version, mark, leaf, stored_at_us, data)
    SELECT stream, version, ?3, leaf, ?4, ?5 FROM events WHERE stream = ?1 AND version = ?2
    ON CONFLICT (stream) DO UPDATE
       SET version = excluded.version, mark = excluded.mark, leaf = excluded.leaf,
           stored_at_us = excluded.stored_at_us, data = excluded.data
     WHERE excluded.version >= snapshots.version OR excluded.mark <> snapshots.mark
        OR NOT EXISTS (SELECT 1 FROM events WHERE stream = snapshots.stream AND version = snapshots.version
                                              AND leaf = snapshots.leaf)";

/// The snapshot of a stream.
pub(super) fn load(connection: &Connection, stream: &StreamName) -> Result<Option<Snapshot>, Error> {
    let action = "reading a snapshot";
    let mut statement = connection.prepare_cached(LOAD).map_err(failed(action))?;
    let row = statement
        .query_row([stream.as_str()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Vec<u8>>(2)?))
        })
        .optional();
    let Some((version, mark, data)) = row.map_err(failed(action))? else { return Ok(None) };
    let version = unstored(version, Position::START)?;
    Ok(Some(Snapshot { stream: stream.clone(), version, mark, data: data.into() }))
}

/// Stores a snapshot; false where its event is not there, or a newer one is stored.
pub(super) fn save(connection: &mut Connection, snapshot: &Snapshot, limit: Duration) -> Result<bool, Error> {
    let action = "storing a snapshot";
    let transaction = begin(connection, limit)?;
    let parameters =
        params![snapshot.stream.as_str(), stored(snapshot.version), snapshot.mark, now_us(), &*snapshot.data];
    let saved = transaction.execute(SAVE, parameters).map_err(failed(action))?;
    transaction.commit().map_err(held(action, limit))?;
    Ok(saved > 0)
}
