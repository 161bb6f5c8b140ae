//! Pages of events. Every statement walks an index from where the page begins, so that a page costs what it holds.

use rusqlite::{Connection, OptionalExtension, Params, Statement, params};

use super::super::{stored, unstored};
use super::failure::failed;
use super::row::{COLUMNS, event};
use crate::chain::{Digest, Frontier};
use crate::commit::Head;
use crate::read::PAGE_BYTES_MAX;
use crate::{Direction, Error, Event, EventType, Page, Position, Read, Selection, StreamName};

const READING: &str = "reading events";

/// Where the journal ends.
pub(super) fn head(connection: &Connection) -> Result<Head, Error> {
    let action = "reading its end";
    let mut statement =
        connection.prepare_cached("SELECT position, chain, frontier FROM head").map_err(failed(action))?;
    let row = statement
        .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Vec<u8>>(2)?)));
    let (position, chain, frontier) = row.map_err(failed(action))?;
    let position = Position::new(unstored(position, Position::START)?);
    let damaged = |seen| Error::Damaged { position, seen };
    Ok(Head {
        position,
        chain: Digest::from_slice(&chain).ok_or_else(|| damaged("the chain's end has another length"))?,
        frontier: Frontier::from_bytes(&frontier)
            .filter(|frontier| frontier.size() == position.number())
            .ok_or_else(|| damaged("the tree's edge is none"))?,
    })
}

/// The version of a stream's last event.
pub(super) fn version(connection: &Connection, stream: &StreamName) -> Result<u64, Error> {
    let sql = "SELECT version FROM events WHERE stream = ?1 ORDER BY version DESC LIMIT 1";
    let mut statement = connection.prepare_cached(sql).map_err(failed(READING))?;
    let version = statement.query_row([stream.as_str()], |row| row.get::<_, i64>(0)).optional();
    unstored(version.map_err(failed(READING))?.unwrap_or(0), Position::START)
}

/// One page.
pub(super) fn page(connection: &mut Connection, read: &Read) -> Result<Page, Error> {
    let (from, limit) = (stored(read.start()), i64::from(read.limit));
    let (compare, order) = match read.direction {
        Direction::Forward => (">=", "ASC"),
        Direction::Backward => ("<=", "DESC"),
    };
    let by = |filter: &str, place: &str| {
        format!("SELECT {COLUMNS} FROM events WHERE {filter} {place} {compare} ?1 ORDER BY {place} {order} LIMIT ?2")
    };
    match &read.selection {
        Selection::All => collect(connection, read, &by("", "position"), params![from, limit]),
        Selection::Stream(name) => {
            collect(connection, read, &by("stream = ?3 AND", "version"), params![from, limit, name.as_str()])
        }
        Selection::Category(name) => {
            collect(connection, read, &by("category = ?3 AND", "position"), params![from, limit, name])
        }
        Selection::Types(types) => {
            let places = format!(
                "SELECT position FROM events WHERE type = ?3 AND position {compare} ?1 ORDER BY position {order} LIMIT ?2"
            );
            of_types(connection, read, &places, types)
        }
    }
}

fn collect(connection: &Connection, read: &Read, sql: &str, parameters: impl Params) -> Result<Page, Error> {
    let mut statement = connection.prepare_cached(sql).map_err(failed(READING))?;
    let (mut events, mut bytes) = (Vec::new(), 0);
    let mut rows = statement.query(parameters).map_err(failed(READING))?;
    while let Some(row) = rows.next().map_err(failed(READING))? {
        let event = event(row)?;
        bytes += weight(&event);
        events.push(event);
        if bytes > PAGE_BYTES_MAX {
            return Ok(read.page(events, true));
        }
    }
    Ok(read.page(events, false))
}

/// An `IN` with an `ORDER BY` would sort every event of the types; so each type's index is walked by itself.
fn of_types(connection: &mut Connection, read: &Read, sql: &str, types: &[EventType]) -> Result<Page, Error> {
    // One snapshot for all of them: a later one might hold earlier positions than the page then passes.
    let transaction = connection.transaction().map_err(failed(READING))?;
    let mut places = Vec::new();
    for of in types {
        let mut statement = transaction.prepare_cached(sql).map_err(failed(READING))?;
        places_of(&mut statement, read, of, &mut places)?;
    }
    match read.direction {
        Direction::Forward => places.sort_unstable(),
        Direction::Backward => places.sort_unstable_by(|left, right| right.cmp(left)),
    }
    places.dedup();
    places.truncate(read.limit as usize);
    let one = format!("SELECT {COLUMNS} FROM events WHERE position = ?1");
    let mut statement = transaction.prepare_cached(&one).map_err(failed(READING))?;
    let (mut events, mut bytes) = (Vec::with_capacity(places.len()), 0);
    for place in places {
        let event = statement.query_row([place], |row| Ok(event(row))).map_err(failed(READING))??;
        bytes += weight(&event);
        events.push(event);
        if bytes > PAGE_BYTES_MAX {
            return Ok(read.page(events, true));
        }
    }
    Ok(read.page(events, false))
}

fn places_of(statement: &mut Statement<'_>, read: &Read, of: &EventType, places: &mut Vec<i64>) -> Result<(), Error> {
    let parameters = params![stored(read.start()), i64::from(read.limit), of.as_str()];
    let found = statement.query_map(parameters, |row| row.get::<_, i64>(0)).map_err(failed(READING))?;
    for place in found {
        places.push(place.map_err(failed(READING))?);
    }
    Ok(())
}

fn weight(event: &Event) -> usize {
    event.metadata.len() + event.data.as_ref().map_or(0, bytes::Bytes::len)
}
