//! What proofs and verification read, and what erasing takes away.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::super::{Ends, StoredRow, Unreadable, stored};
use super::failure::{failed, held};
use super::row::event;
use super::write::begin;
use super::{read, row};
use crate::chain::{Digest, Span};
use crate::verify::{Made, Stored};
use crate::{Error, Position};

const READING: &str = "reading what is stored";
const ERASING: &str = "erasing data";
/// The most events of a page, and after how many bytes it ends.
const PAGE_EVENTS: i64 = 4096;
const PAGE_BYTES: usize = 8 << 20;

/// Which journal it is.
pub(super) fn identity(connection: &Connection) -> Result<Uuid, Error> {
    let id: Vec<u8> = connection
        .prepare_cached("SELECT id FROM identity")
        .and_then(|mut select| select.query_row([], |row| row.get(0)))
        .map_err(failed(READING))?;
    Uuid::from_slice(&id).map_err(|_| Error::Damaged { position: Position::START, seen: "its identity is none" })
}

/// Where it begins and ends.
pub(super) fn ends(connection: &mut Connection) -> Result<Ends, Error> {
    let transaction = connection.transaction().map_err(failed(READING))?;
    let number = |sql| transaction.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).map_err(failed(READING));
    let head = match read::head(&transaction) {
        Ok(head) => Ok(head),
        Err(Error::Damaged { seen, .. }) => Err(seen),
        Err(Error::Sqlite { source, .. }) if matches!(*source, rusqlite::Error::QueryReturnedNoRows) => {
            Err("there is no head")
        }
        Err(other) => return Err(other),
    };
    let appends = number("SELECT count(*) FROM appends")?.and_then(|count| u64::try_from(count).ok());
    Ok(Ends {
        head,
        first: number("SELECT min(position) FROM events")?,
        last: number("SELECT max(position) FROM events")?,
        appends: appends.unwrap_or(0),
    })
}

/// A page of events.
pub(super) fn page(connection: &Connection, after: Position, up_to: Position) -> Result<Vec<StoredRow>, Error> {
    let columns = row::COLUMNS.split(", ").map(|column| format!("events.{}", column.trim())).collect::<Vec<_>>();
    let sql = format!(
        "SELECT {}, category, data_digest, leaf, chain, first_position, last_position
           FROM events LEFT JOIN appends ON appends.id = events.append
          WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?3",
        columns.join(", ")
    );
    let mut statement = connection.prepare_cached(&sql).map_err(failed(READING))?;
    let range = params![stored(after.number()), stored(up_to.number()), PAGE_EVENTS];
    let mut rows = statement.query(range).map_err(failed(READING))?;
    let (mut page, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next().map_err(failed(READING))? {
        let read = stored_row(row)?;
        let weight =
            |stored: &Stored| stored.event.metadata.len() + stored.event.data.as_ref().map_or(0, |data| data.len());
        bytes += read.as_ref().map_or(0, weight);
        page.push(read);
        if bytes > PAGE_BYTES {
            break;
        }
    }
    Ok(page)
}

fn stored_row(row: &Row<'_>) -> Result<StoredRow, Error> {
    let position = row.get::<_, i64>(0).map_err(failed(READING))?;
    let position = Position::new(u64::try_from(position).unwrap_or(0));
    let unreadable = |seen| Err(Unreadable { position, seen });
    let event = match event(row) {
        Ok(event) => event,
        Err(Error::Damaged { seen, .. }) => return Ok(unreadable(seen)),
        Err(_) => return Ok(unreadable("a value is missing or of another type")),
    };
    let digest = |column| {
        let bytes = row.get_ref(column).ok().and_then(|value| value.as_blob().ok());
        bytes.and_then(Digest::from_slice)
    };
    let number =
        |column| row.get::<_, Option<i64>>(column).ok().flatten().and_then(|number| u64::try_from(number).ok());
    let (Some(data_digest), Some(leaf), Some(chain)) = (digest(13), digest(14), digest(15)) else {
        return Ok(unreadable("a digest is missing or has another length"));
    };
    let Ok(category) = row.get(12) else { return Ok(unreadable("its category is missing")) };
    let made = number(16).zip(number(17));
    let made = made.map(|(first, last)| Made { first: Position::new(first), last: Position::new(last) });
    Ok(Ok(Stored { event, category, data_digest, leaf, chain, made }))
}

/// Leaves, or roots of tiles.
pub(super) fn digests(connection: &Connection, span: Span) -> Result<Vec<Digest>, Error> {
    let sql = if span.level == 0 {
        "SELECT leaf FROM events WHERE ?3 = 0 AND position > ?1 AND position <= ?1 + ?2 ORDER BY position"
    } else {
        "SELECT root FROM tiles WHERE level = ?3 AND number >= ?1 AND number < ?1 + ?2 ORDER BY number"
    };
    let mut statement = connection.prepare_cached(sql).map_err(failed(READING))?;
    let range = params![stored(span.first), stored(span.count), span.level];
    let rows = statement.query_map(range, |row| row.get::<_, Vec<u8>>(0)).map_err(failed(READING))?;
    let mut digests = Vec::new();
    for row in rows {
        digests.extend(Digest::from_slice(&row.map_err(failed(READING))?));
    }
    Ok(digests)
}

/// The chain after an event.
pub(super) fn chain_at(connection: &Connection, position: Position) -> Result<Option<Digest>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT chain FROM events WHERE position = ?1").map_err(failed(READING))?;
    let chain = statement.query_row([stored(position.number())], |row| row.get::<_, Vec<u8>>(0)).optional();
    Ok(chain.map_err(failed(READING))?.as_deref().and_then(Digest::from_slice))
}

/// Where the first append begins that no event belongs to.
pub(super) fn append_without_events(connection: &Connection) -> Result<Option<i64>, Error> {
    let sql = "SELECT min(first_position) FROM appends
                WHERE NOT EXISTS (SELECT 1 FROM events WHERE position = first_position AND append = appends.id)";
    connection.query_row(sql, [], |row| row.get(0)).map_err(failed(READING))
}

/// Removes the data of an event, and all snapshots; then the pages that held them.
pub(super) fn erase_data(connection: &mut Connection, position: Position, limit: Duration) -> Result<bool, Error> {
    overwriting(connection)?;
    let transaction = begin(connection, limit)?;
    let sql = "UPDATE events SET data = NULL WHERE position = ?1";
    let erased = transaction.execute(sql, [stored(position.number())]).map_err(failed(ERASING))? > 0;
    transaction.execute("DELETE FROM snapshots", []).map_err(failed(ERASING))?;
    transaction.commit().map_err(held(ERASING, limit))?;
    empty_log(connection)?;
    Ok(erased)
}

/// Removes all snapshots.
pub(super) fn remove_snapshots(connection: &mut Connection, limit: Duration) -> Result<(), Error> {
    overwriting(connection)?;
    let transaction = begin(connection, limit)?;
    transaction.execute("DELETE FROM snapshots", []).map_err(failed(ERASING))?;
    transaction.commit().map_err(held(ERASING, limit))?;
    empty_log(connection)
}

/// From now on what is deleted is overwritten in its page.
fn overwriting(connection: &Connection) -> Result<(), Error> {
    connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(())).map_err(failed(ERASING))
}

/// Old pages wait in the log until they are overwritten. Readers may be in the way; then a later checkpoint does it.
fn empty_log(connection: &Connection) -> Result<(), Error> {
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(failed(ERASING))?;
    if busy != 0 {
        tracing::warn!("readers kept the journal's log from being emptied: it holds erased data until they end");
    }
    Ok(())
}
