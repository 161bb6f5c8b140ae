//! Snapshots, each beside the leaf of the event that it ends with: one of a journal with other events is not found.

use super::super::{stored, unstored};
use super::connection::Connection;
use super::failure::failed;
use crate::{Error, Position, Snapshot, StreamName};

const LOAD: &str = "
    SELECT snapshots.version, snapshots.mark, snapshots.data
      FROM atalaya_journal.snapshots JOIN atalaya_journal.events
        ON events.stream = snapshots.stream AND events.version = snapshots.version AND events.leaf = snapshots.leaf
     WHERE snapshots.stream = $1";

/// A snapshot of an older state never takes the place of a newer one with the same mark.
const SAVE: &str = "
    INSERT INTO atalaya_journal.snapshots AS old (stream, version, mark, leaf, data)
    SELECT stream, version, $3, leaf, $4 FROM atalaya_journal.events WHERE stream = $1 AND version = $2
    ON CONFLICT (stream) DO UPDATE
       SET version = excluded.version, mark = excluded.mark, leaf = excluded.leaf, data = excluded.data,
           stored_at = clock_timestamp()
     WHERE excluded.version >= old.version OR excluded.mark <> old.mark
        OR NOT EXISTS (SELECT 1 FROM atalaya_journal.events
                        WHERE stream = old.stream AND version = old.version AND leaf = old.leaf)";

/// The snapshot of a stream.
pub(super) async fn load(connection: &mut Connection, stream: &StreamName) -> Result<Option<Snapshot>, Error> {
    let statement = connection.statement(LOAD).await?;
    let rows = connection.session.query_prepared(&statement, &[&stream.as_str()]).await;
    let rows = rows.map_err(failed("reading a snapshot"))?;
    let Some(row) = rows.first() else { return Ok(None) };
    let version = unstored(row.get(0), Position::START)?;
    let data = row.get::<_, &[u8]>(2).to_vec().into();
    Ok(Some(Snapshot { stream: stream.clone(), version, mark: row.get(1), data }))
}

/// Stores a snapshot; false where its event is not there, or a newer one is stored.
pub(super) async fn save(connection: &mut Connection, snapshot: &Snapshot) -> Result<bool, Error> {
    let statement = connection.statement(SAVE).await?;
    let (stream, version) = (snapshot.stream.as_str(), stored(snapshot.version));
    let parameters: [&(dyn atalaya_postgres::ToSql + Sync); 4] = [&stream, &version, &snapshot.mark, &&*snapshot.data];
    let saved = connection.session.execute_prepared(&statement, &parameters).await;
    Ok(saved.map_err(failed("storing a snapshot"))? > 0)
}
