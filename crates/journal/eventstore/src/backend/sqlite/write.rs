//! Appends. The write lock is taken before anything is read, so that what was decided is still so when it is written.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::super::{Answers, stored, unstored};
use super::failure::{failed, held};
use super::read;
use crate::chain::Digest;
use crate::commit::{Head, Known, Planned, StoredAppend, plan};
use crate::{Append, AppendId, Appended, Error, Position, StreamName};

const DECIDING: &str = "looking at what is appended to";
const WRITING: &str = "writing events";

/// Begins a transaction that writes.
pub(super) fn begin(connection: &mut Connection, limit: Duration) -> Result<Transaction<'_>, Error> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(held("beginning to write", limit))
}

/// Microseconds since 1970 UTC.
pub(super) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Decides and writes appends; answers each, and says where the journal ends.
pub(super) fn commit(
    connection: &mut Connection,
    appends: &[Append],
    limit: Duration,
) -> Result<(Answers, Position), Error> {
    let transaction = begin(connection, limit)?;
    let planned = plan(known(&transaction, appends)?, appends);
    let end = planned.head.position;
    if !planned.rows.is_empty() {
        write(&transaction, &planned)?;
        transaction.commit().map_err(|error| uncommitted(error, limit))?;
    }
    Ok((planned.answers, end))
}

/// A commit that could not be written is rolled back. One that was written, and then could not be flushed, may still be
/// found in the log after a crash.
fn uncommitted(error: rusqlite::Error, limit: Duration) -> Error {
    let unflushed = error.sqlite_error_code() == Some(rusqlite::ErrorCode::SystemIoFailure);
    match held("committing", limit)(error) {
        error @ Error::Sqlite { .. } if unflushed => Error::Unknown { source: Box::new(error) },
        error => error,
    }
}

fn known(transaction: &Transaction<'_>, appends: &[Append]) -> Result<Known, Error> {
    let head = read::head(transaction)?;
    let (mut versions, mut made, mut taken) = (HashMap::new(), HashMap::new(), HashSet::new());
    let mut exists = transaction.prepare_cached("SELECT 1 FROM events WHERE id = ?1").map_err(failed(DECIDING))?;
    for append in appends {
        if let Some(stored) = append_of(transaction, append.id)? {
            made.insert(append.id, stored);
            continue;
        }
        for name in append.names() {
            if !versions.contains_key(name) {
                versions.insert(name.clone(), read::version(transaction, name)?);
            }
        }
        for event in append.events() {
            if exists.exists([event.id.as_uuid().as_bytes()]).map_err(failed(DECIDING))? {
                taken.insert(event.id);
            }
        }
    }
    Ok(Known { head, now_us: now_us(), versions, appends: made, taken })
}

/// What an append was answered, if it was made: of one snapshot, since it takes two statements.
pub(super) fn appended(connection: &mut Connection, id: AppendId) -> Result<Option<Appended>, Error> {
    let transaction = connection.transaction().map_err(failed(DECIDING))?;
    Ok(append_of(&transaction, id)?.map(|made| made.answer))
}

/// An append that was made.
fn append_of(transaction: &Transaction<'_>, id: AppendId) -> Result<Option<StoredAppend>, Error> {
    let sql = "SELECT body, first_position, last_position FROM appends WHERE id = ?1";
    let mut statement = transaction.prepare_cached(sql).map_err(failed(DECIDING))?;
    let found = statement
        .query_row([id.as_uuid().as_bytes()], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })
        .optional();
    let Some((body, first, last)) = found.map_err(failed(DECIDING))? else { return Ok(None) };
    let position = Position::new(unstored(first, Position::START)?);
    let body = Digest::from_slice(&body);
    let body = body.ok_or(Error::Damaged { position, seen: "an append's digest has another length" })?;
    let sql = "SELECT stream, max(version) FROM events WHERE position BETWEEN ?1 AND ?2
               GROUP BY stream ORDER BY min(position)";
    let mut statement = transaction.prepare_cached(sql).map_err(failed(DECIDING))?;
    let rows = statement.query_map([first, last], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)));
    let mut versions = Vec::new();
    for row in rows.map_err(failed(DECIDING))? {
        let (stream, version) = row.map_err(failed(DECIDING))?;
        let stream = StreamName::new(stream);
        let stream = stream.map_err(|_| Error::Damaged { position, seen: "the stream's name cannot be one" })?;
        versions.push((stream, unstored(version, position)?));
    }
    let last = Position::new(unstored(last, position)?);
    Ok(Some(StoredAppend { body, answer: Appended { first: position, last, versions, repeated: false } }))
}

fn write(transaction: &Transaction<'_>, planned: &Planned<'_>) -> Result<(), Error> {
    let sql = "INSERT INTO events (position, stream, version, category, type, schema, id, append, correlation,
                                   causation, recorded_at_us, metadata, data_digest, leaf, chain, data)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
    let mut insert = transaction.prepare_cached(sql).map_err(failed(WRITING))?;
    for row in &planned.rows {
        insert
            .execute(params![
                stored(row.position.number()),
                row.stream.as_str(),
                stored(row.version),
                row.stream.category(),
                row.event.event_type.as_str(),
                row.event.schema,
                row.event.id.as_uuid().as_bytes(),
                row.append.as_uuid().as_bytes(),
                row.event.correlation.as_ref().map(uuid::Uuid::as_bytes),
                row.event.causation.as_ref().map(uuid::Uuid::as_bytes),
                row.recorded_at_us,
                &*row.event.metadata,
                row.data_digest.as_bytes(),
                row.leaf.as_bytes(),
                row.chain.as_bytes(),
                &*row.event.data,
            ])
            .map_err(failed(WRITING))?;
    }
    let sql = "INSERT INTO appends (id, body, first_position, last_position) VALUES (?1, ?2, ?3, ?4)";
    let mut insert = transaction.prepare_cached(sql).map_err(failed(WRITING))?;
    for (id, made) in &planned.appends {
        let (first, last) = (stored(made.answer.first.number()), stored(made.answer.last.number()));
        insert.execute(params![id.as_uuid().as_bytes(), made.body.as_bytes(), first, last]).map_err(failed(WRITING))?;
    }
    let sql = "INSERT INTO tiles (level, number, root) VALUES (?1, ?2, ?3)";
    let mut insert = transaction.prepare_cached(sql).map_err(failed(WRITING))?;
    for tile in &planned.tiles {
        insert.execute(params![tile.level, stored(tile.index), tile.root.as_bytes()]).map_err(failed(WRITING))?;
    }
    write_head(transaction, &planned.head)
}

fn write_head(transaction: &Transaction<'_>, head: &Head) -> Result<(), Error> {
    let sql = "UPDATE head SET position = ?1, chain = ?2, frontier = ?3";
    let mut update = transaction.prepare_cached(sql).map_err(failed(WRITING))?;
    let parameters = params![stored(head.position.number()), head.chain.as_bytes(), head.frontier.to_bytes()];
    update.execute(parameters).map(drop).map_err(failed(WRITING))
}
