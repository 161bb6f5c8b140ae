//! Pages of events. One statement is one snapshot, and since positions are given in the order of commits, a snapshot
//! that has a position has all before it.

use std::ops::ControlFlow;

use atalaya_postgres::{Row, ToSql};

use super::super::{stored, unstored};
use super::connection::Connection;
use super::failure::failed;
use super::row::{COLUMNS, event};
use crate::chain::{Digest, Frontier};
use crate::commit::Head;
use crate::read::PAGE_BYTES_MAX;
use crate::{Direction, Error, Page, Position, Read, Selection, StreamName};

const READING: &str = "reading events";
pub(super) const HEAD: &str =
    "SELECT position, chain, frontier FROM atalaya_journal.head ORDER BY position DESC LIMIT 1";

/// Where the journal ends, as [`HEAD`] says.
pub(super) fn head_of(rows: &[Row]) -> Result<Head, Error> {
    let row = rows.first().ok_or(Error::Damaged { position: Position::START, seen: "it has no head" })?;
    head_from(row.get(0), row.get(1), row.get(2))
}

/// The head of a row's values.
pub(super) fn head_from(position: i64, chain: &[u8], frontier: &[u8]) -> Result<Head, Error> {
    let position = Position::new(unstored(position, Position::START)?);
    let damaged = |seen| Error::Damaged { position, seen };
    Ok(Head {
        position,
        chain: Digest::from_slice(chain).ok_or_else(|| damaged("the chain's end has another length"))?,
        frontier: Frontier::from_bytes(frontier)
            .filter(|frontier| frontier.size() == position.number())
            .ok_or_else(|| damaged("the tree's edge is none"))?,
    })
}

/// Where the journal ends.
pub(super) async fn head(connection: &mut Connection) -> Result<Head, Error> {
    let statement = connection.statement(HEAD).await?;
    let rows = connection.session.query_prepared(&statement, &[]).await;
    head_of(&rows.map_err(failed("reading its end"))?)
}

/// The server's clock.
pub(super) async fn now_us(connection: &mut Connection) -> Result<i64, Error> {
    let statement = connection.statement(super::write::CLOCK).await?;
    let rows = connection.session.query_prepared(&statement, &[]).await.map_err(failed("reading its clock"))?;
    rows.first().map(|row| row.get(0)).ok_or(Error::Damaged { position: Position::START, seen: "it has no clock" })
}

/// The version of a stream's last event.
pub(super) async fn version(connection: &mut Connection, stream: &StreamName) -> Result<u64, Error> {
    let sql = "SELECT version FROM atalaya_journal.events WHERE stream = $1 ORDER BY version DESC LIMIT 1";
    let statement = connection.statement(sql).await?;
    let rows = connection.session.query_prepared(&statement, &[&stream.as_str()]).await.map_err(failed(READING))?;
    unstored(rows.first().map_or(0, |row| row.get(0)), Position::START)
}

/// One page.
pub(super) async fn page(connection: &mut Connection, read: &Read) -> Result<Page, Error> {
    let (from, limit) = (stored(read.start()), i64::from(read.limit));
    let sql = sql_of(read);
    match &read.selection {
        Selection::All => collect(connection, read, &sql, &[&from, &limit]).await,
        Selection::Stream(name) => collect(connection, read, &sql, &[&from, &limit, &name.as_str()]).await,
        Selection::Category(name) => collect(connection, read, &sql, &[&from, &limit, name]).await,
        Selection::Types(types) => {
            let types: Vec<&str> = types.iter().map(crate::EventType::as_str).collect();
            collect(connection, read, &sql, &[&from, &limit, &types]).await
        }
    }
}

fn sql_of(read: &Read) -> String {
    let (compare, order) = match read.direction {
        Direction::Forward => (">=", "ASC"),
        Direction::Backward => ("<=", "DESC"),
    };
    let by = |filter: &str, place: &str| {
        format!(
            "SELECT {COLUMNS} FROM atalaya_journal.events WHERE {filter} {place} {compare} $1
             ORDER BY {place} {order} LIMIT $2"
        )
    };
    match &read.selection {
        Selection::All => by("", "position"),
        Selection::Stream(_) => by("stream = $3 AND", "version"),
        Selection::Category(_) => by("category = $3 AND", "position"),
        // Each type's index is walked by itself: an array with an order would sort every event of the types.
        Selection::Types(_) => format!(
            "SELECT {COLUMNS} FROM
                 (SELECT DISTINCT place.position FROM unnest($3::text[]) AS of (type), LATERAL
                     (SELECT position FROM atalaya_journal.events WHERE events.type = of.type AND position {compare} $1
                       ORDER BY position {order} LIMIT $2) AS place
                   ORDER BY place.position {order} LIMIT $2) AS places
             JOIN atalaya_journal.events USING (position) ORDER BY position {order}"
        ),
    }
}

async fn collect(
    connection: &mut Connection,
    read: &Read,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Page, Error> {
    let statement = connection.statement(sql).await?;
    let (mut events, mut bytes) = (Vec::new(), 0);
    let each = |row: &Row| {
        let event = event(row)?;
        bytes += event.metadata.len() + event.data.as_ref().map_or(0, bytes::Bytes::len);
        events.push(event);
        Ok::<_, Failure>(if bytes > PAGE_BYTES_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    let ended = connection.session.query_prepared_while(&statement, parameters, each).await;
    let cut = ended.map_err(Failure::into_error)?.is_break();
    connection.spent = cut;
    Ok(read.page(events, cut))
}

/// The server's error, or what a row holds.
pub(super) enum Failure {
    Server(atalaya_postgres::Error),
    Row(Error),
}

impl Failure {
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Server(error) => failed(READING)(error),
            Self::Row(error) => error,
        }
    }
}

impl From<atalaya_postgres::Error> for Failure {
    fn from(error: atalaya_postgres::Error) -> Self {
        Self::Server(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Row(error)
    }
}
