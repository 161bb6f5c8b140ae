//! What proofs and verification read, and what erasing takes away.
//!
//! What was tampered with may have lost its constraints: every column is cast, and has a value where it is missing.

use std::ops::ControlFlow;

use atalaya_postgres::Row;
use uuid::Uuid;

use super::super::{Ends, StoredRow, Unreadable, stored};
use super::connection::Connection;
use super::failure::failed;
use super::read::{self, Failure};
use super::row::event;
use crate::chain::{Digest, Span};
use crate::verify::{Made, Stored};
use crate::{Error, Position};

const READING: &str = "reading what is stored";
const ERASING: &str = "erasing data";
/// The most events of a page, and after how many bytes it ends.
const PAGE_EVENTS: i64 = 4096;
const PAGE_BYTES: usize = 8 << 20;

const PAGE: &str = "
    SELECT events.position::bigint, COALESCE(stream::text, ''), COALESCE(version::bigint, 0),
           COALESCE(type::text, ''), COALESCE(schema::bigint, -1),
           COALESCE(events.id::uuid, '00000000-0000-0000-0000-000000000000'),
           COALESCE(append::uuid, '00000000-0000-0000-0000-000000000000'), correlation::uuid, causation::uuid,
           COALESCE(recorded_at_us::bigint, 0), COALESCE(metadata::bytea, ''), data::bytea,
           COALESCE(category::text, ''), COALESCE(data_digest::bytea, ''), COALESCE(leaf::bytea, ''),
           COALESCE(events.chain::bytea, ''), first_position::bigint, last_position::bigint
      FROM atalaya_journal.events LEFT JOIN atalaya_journal.appends ON appends.id = events.append
     WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3";
const ENDS: &str = "
    SELECT (SELECT min(position) FROM atalaya_journal.events), (SELECT max(position) FROM atalaya_journal.events),
           (SELECT count(*) FROM atalaya_journal.appends), position, chain, frontier
      FROM (SELECT 1) AS one
      LEFT JOIN (SELECT position, chain, frontier FROM atalaya_journal.head ORDER BY position DESC LIMIT 1) AS head
        ON true";
const LEAVES: &str = "
    SELECT leaf FROM atalaya_journal.events
     WHERE position > $1 AND position <= $1 + $2 ORDER BY position";
const TILES: &str = "
    SELECT root FROM atalaya_journal.tiles
     WHERE level = $3 AND number >= $1 AND number < $1 + $2 ORDER BY number";
const WITHOUT_EVENTS: &str = "
    SELECT min(first_position) FROM atalaya_journal.appends
     WHERE NOT EXISTS (SELECT 1 FROM atalaya_journal.events WHERE position = first_position AND append = appends.id)";

async fn rows(
    connection: &mut Connection,
    sql: &str,
    parameters: &[&(dyn atalaya_postgres::ToSql + Sync)],
) -> Result<Vec<Row>, Error> {
    let statement = connection.statement(sql).await?;
    connection.session.query_prepared(&statement, parameters).await.map_err(failed(READING))
}

/// Which journal it is.
pub(super) async fn identity(connection: &mut Connection) -> Result<Uuid, Error> {
    let rows = rows(connection, "SELECT id FROM atalaya_journal.identity", &[]).await?;
    let damaged = Error::Damaged { position: Position::START, seen: "it has no identity" };
    rows.first().map(|row| row.get(0)).ok_or(damaged)
}

/// Where it begins and ends.
pub(super) async fn ends(connection: &mut Connection) -> Result<Ends, Error> {
    let rows = rows(connection, ENDS, &[]).await?;
    let row = rows.first().ok_or(Error::Damaged { position: Position::START, seen: "it has no end" })?;
    let head = match (row.get(3), row.get(4), row.get(5)) {
        (Some(position), Some(chain), Some(frontier)) => match read::head_from(position, chain, frontier) {
            Ok(head) => Ok(head),
            Err(Error::Damaged { seen, .. }) => Err(seen),
            Err(other) => return Err(other),
        },
        _ => Err("there is no head"),
    };
    let appends = u64::try_from(row.get::<_, i64>(2)).unwrap_or(0);
    Ok(Ends { head, first: row.get(0), last: row.get(1), appends })
}

/// A page of events.
pub(super) async fn page(
    connection: &mut Connection,
    after: Position,
    up_to: Position,
) -> Result<Vec<StoredRow>, Error> {
    let statement = connection.statement(PAGE).await?;
    let (mut page, mut bytes) = (Vec::new(), 0);
    let each = |row: &Row| {
        let read = stored_row(row);
        let weight =
            |stored: &Stored| stored.event.metadata.len() + stored.event.data.as_ref().map_or(0, |data| data.len());
        bytes += read.as_ref().map_or(0, weight);
        page.push(read);
        Ok::<_, Failure>(if bytes > PAGE_BYTES { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    let (after, up_to) = (stored(after.number()), stored(up_to.number()));
    let ended = connection.session.query_prepared_while(&statement, &[&after, &up_to, &PAGE_EVENTS], each).await;
    connection.spent = ended.map_err(Failure::into_error)?.is_break();
    Ok(page)
}

fn stored_row(row: &Row) -> StoredRow {
    let position = Position::new(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0));
    let unreadable = |seen| Unreadable { position, seen };
    let event = event(row).map_err(|error| match error {
        Error::Damaged { seen, .. } => unreadable(seen),
        _ => unreadable("a value is missing or of another type"),
    })?;
    let digest =
        |column| Digest::from_slice(row.get(column)).ok_or(unreadable("a digest is missing or has another length"));
    let number = |column| row.get::<_, Option<i64>>(column).and_then(|number| u64::try_from(number).ok());
    let made = number(16).zip(number(17));
    let made = made.map(|(first, last)| Made { first: Position::new(first), last: Position::new(last) });
    let (data_digest, leaf, chain) = (digest(13)?, digest(14)?, digest(15)?);
    Ok(Stored { event, category: row.get(12), data_digest, leaf, chain, made })
}

/// Leaves, or roots of tiles.
pub(super) async fn digests(connection: &mut Connection, span: Span) -> Result<Vec<Digest>, Error> {
    let (first, count, level) = (stored(span.first), stored(span.count), i16::from(span.level));
    let rows = match span.level {
        0 => rows(connection, LEAVES, &[&first, &count]).await?,
        _ => rows(connection, TILES, &[&first, &count, &level]).await?,
    };
    Ok(rows.iter().filter_map(|row| Digest::from_slice(row.get(0))).collect())
}

/// The chain after an event.
pub(super) async fn chain_at(connection: &mut Connection, position: Position) -> Result<Option<Digest>, Error> {
    let sql = "SELECT chain FROM atalaya_journal.events WHERE position = $1";
    let rows = rows(connection, sql, &[&stored(position.number())]).await?;
    Ok(rows.first().and_then(|row| Digest::from_slice(row.get(0))))
}

/// Where the first append begins that no event belongs to.
pub(super) async fn append_without_events(connection: &mut Connection) -> Result<Option<i64>, Error> {
    Ok(rows(connection, WITHOUT_EVENTS, &[]).await?.first().and_then(|row| row.get(0)))
}

/// Removes the data of an event, and all snapshots.
pub(super) async fn erase_data(connection: &mut Connection, position: Position) -> Result<bool, Error> {
    // The snapshots first: an attempt that ends in between is made again.
    remove_snapshots(connection).await?;
    let statement = connection.statement("UPDATE atalaya_journal.events SET data = NULL WHERE position = $1").await?;
    let erased = connection.session.execute_prepared(&statement, &[&stored(position.number())]).await;
    Ok(erased.map_err(failed(ERASING))? > 0)
}

/// Removes all snapshots.
pub(super) async fn remove_snapshots(connection: &mut Connection) -> Result<(), Error> {
    let statement = connection.statement("DELETE FROM atalaya_journal.snapshots").await?;
    connection.session.execute_prepared(&statement, &[]).await.map(drop).map_err(failed(ERASING))
}
