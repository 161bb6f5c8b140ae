//! Where subscribers were left.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::super::{stored, unstored};
use super::failure::{failed, held};
use super::write::{begin, now_us};
use crate::chain::Digest;
use crate::subscription::{Checkpoint, CheckpointKey};
use crate::{Error, Position};

const LOADING: &str = "reading a checkpoint";
const STORING: &str = "storing a checkpoint";

/// Its own row; or, where it has none, the least of a complete set of workers of another number.
const LOAD: &str = "
    WITH of_name AS (SELECT worker, workers, position, chain FROM checkpoints WHERE name = ?1),
         complete AS (SELECT workers FROM of_name GROUP BY workers HAVING count(*) = workers),
         own AS (SELECT position, chain FROM of_name WHERE workers = ?3 AND worker = ?2),
         other AS (SELECT position, chain FROM of_name WHERE workers IN (SELECT workers FROM complete)
                   AND NOT EXISTS (SELECT 1 FROM own) ORDER BY position LIMIT 1)
    SELECT found.position, found.position = 0 OR coalesce(found.chain = events.chain, 0),
           EXISTS (SELECT 1 FROM own), (SELECT position FROM head)
      FROM (SELECT * FROM own UNION ALL SELECT * FROM other) AS found
      LEFT JOIN events ON events.position = found.position";

/// Where a subscriber was left.
pub(super) fn load(connection: &Connection, key: &CheckpointKey) -> Result<Option<Checkpoint>, Error> {
    let mut statement = connection.prepare_cached(LOAD).map_err(failed(LOADING))?;
    let row = statement
        .query_row(params![key.name, key.worker, key.workers], |row| {
            Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get::<_, i64>(3)?))
        })
        .optional();
    let Some((position, same, own, head)) = row.map_err(failed(LOADING))? else { return Ok(None) };
    let position = Position::new(unstored(position, Position::START)?);
    let head = Position::new(unstored(head, Position::START)?);
    Checkpoint::judge(position, head, same)?;
    Ok(Some(Checkpoint { position, own }))
}

/// Moves it from one position to another, unless somebody else has moved it.
pub(super) fn advance(
    connection: &mut Connection,
    key: &CheckpointKey,
    (from, to): (Position, Position),
    limit: Duration,
) -> Result<Result<(), Position>, Error> {
    let transaction = begin(connection, limit)?;
    let mut chain = Digest::ZERO.as_bytes().to_vec();
    if to > Position::START {
        let sql = "SELECT chain FROM events WHERE position = ?1";
        let found = transaction.query_row(sql, [stored(to.number())], |row| row.get(0)).optional();
        let head = || super::read::head(&transaction).map(|head| head.position);
        chain = match found.map_err(failed(STORING))? {
            Some(chain) => chain,
            None => return Err(Error::BeyondHead { position: to, head: head()? }),
        };
    }
    let sql = "SELECT position FROM checkpoints WHERE name = ?1 AND worker = ?2 AND workers = ?3";
    let identity = params![key.name, key.worker, key.workers];
    let found = transaction.query_row(sql, identity, |row| row.get::<_, i64>(0)).optional();
    let found = found.map_err(failed(STORING))?;
    if found.is_some_and(|found| found != stored(from.number())) {
        let found = unstored(found.unwrap_or_default(), Position::START)?;
        return Ok(Err(Position::new(found)));
    }
    let sql = "INSERT INTO checkpoints (name, worker, workers, position, chain, stored_at_us)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT DO UPDATE SET position = excluded.position, chain = excluded.chain,
                                         stored_at_us = excluded.stored_at_us";
    let parameters = params![key.name, key.worker, key.workers, stored(to.number()), chain, now_us()];
    transaction.execute(sql, parameters).map_err(failed(STORING))?;
    transaction.commit().map_err(held(STORING, limit))?;
    Ok(Ok(()))
}
