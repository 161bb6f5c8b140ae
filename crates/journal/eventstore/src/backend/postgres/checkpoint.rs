//! Where subscribers were left.

use super::super::{stored, unstored};
use super::connection::Connection;
use super::failure::failed;
use crate::subscription::{Checkpoint, CheckpointKey};
use crate::{Error, Position};

/// Its own row; or, where it has none, the least of a complete set of workers of another number.
const LOAD: &str = "
    WITH of_name AS (SELECT worker, workers, position, chain FROM atalaya_journal.checkpoints WHERE name = $1),
         complete AS (SELECT workers FROM of_name GROUP BY workers HAVING count(*) = workers),
         own AS (SELECT position, chain FROM of_name WHERE workers = $3 AND worker = $2),
         other AS (SELECT position, chain FROM of_name WHERE workers IN (SELECT workers FROM complete)
                   AND NOT EXISTS (SELECT 1 FROM own) ORDER BY position LIMIT 1)
    SELECT found.position, found.position = 0 OR coalesce(found.chain = events.chain, false),
           EXISTS (SELECT 1 FROM own), (SELECT max(position) FROM atalaya_journal.head)
      FROM (SELECT * FROM own UNION ALL SELECT * FROM other) AS found
      LEFT JOIN atalaya_journal.events ON events.position = found.position";

/// Stores it where nobody else has moved it, in one statement. A repeat after a lost answer finds it moved already.
const ADVANCE: &str = "
    WITH at AS (SELECT chain FROM atalaya_journal.events WHERE position = $5
                UNION ALL SELECT ''::bytea WHERE $5 = 0)
    INSERT INTO atalaya_journal.checkpoints AS stored (name, worker, workers, position, chain)
    SELECT $1, $2, $3, $5, chain FROM at
    ON CONFLICT (name, workers, worker) DO UPDATE
       SET position = excluded.position, chain = excluded.chain, stored_at = clock_timestamp()
     WHERE stored.position IN ($4, $5)";
const FOUND: &str = "
    SELECT (SELECT position FROM atalaya_journal.checkpoints WHERE name = $1 AND worker = $2 AND workers = $3),
           (SELECT max(position) FROM atalaya_journal.head)";

/// Where a subscriber was left.
pub(super) async fn load(connection: &mut Connection, key: &CheckpointKey) -> Result<Option<Checkpoint>, Error> {
    let statement = connection.statement(LOAD).await?;
    let (worker, workers) = (i64::from(key.worker), i64::from(key.workers));
    let rows = connection.session.query_prepared(&statement, &[&key.name, &worker, &workers]).await;
    let rows = rows.map_err(failed("reading a checkpoint"))?;
    let Some(row) = rows.first() else { return Ok(None) };
    let position = Position::new(unstored(row.get(0), Position::START)?);
    let head = Position::new(unstored(row.get(3), Position::START)?);
    Checkpoint::judge(position, head, row.get(1))?;
    Ok(Some(Checkpoint { position, own: row.get(2) }))
}

/// Moves it from one position to another, unless somebody else has moved it.
pub(super) async fn advance(
    connection: &mut Connection,
    key: &CheckpointKey,
    from: Position,
    to: Position,
) -> Result<Result<(), Position>, Error> {
    let failed = failed("storing a checkpoint");
    let advance = connection.statement(ADVANCE).await?;
    let found = connection.statement(FOUND).await?;
    let (worker, workers) = (i64::from(key.worker), i64::from(key.workers));
    let (from, stored_to) = (stored(from.number()), stored(to.number()));
    let moved = connection.session.execute_prepared(&advance, &[&key.name, &worker, &workers, &from, &stored_to]).await;
    if moved.map_err(&failed)? > 0 {
        return Ok(Ok(()));
    }
    let rows = connection.session.query_prepared(&found, &[&key.name, &worker, &workers]).await.map_err(failed)?;
    let row = rows.first().ok_or(Error::Damaged { position: to, seen: "it has no head" })?;
    let head = Position::new(unstored(row.get(1), Position::START)?);
    if to > head {
        return Err(Error::BeyondHead { position: to, head });
    }
    let found: Option<i64> = row.get(0);
    Ok(Err(Position::new(unstored(found.unwrap_or(0), Position::START)?)))
}
