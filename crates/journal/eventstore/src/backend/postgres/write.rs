//! Appends: two round trips, one that locks and reads, one that writes and commits.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use futures_util::future::{join3, join4};
use tokio::sync::Mutex;

use super::super::{Answers, unstored};
use super::connection::{Connection, Purpose, STATEMENT_LIMIT};
use super::failure::{failed, held, is_alive, is_passing};
use super::pool::Tries;
use super::{insert, read};
use crate::chain::Digest;
use crate::commit::{Known, Planned, StoredAppend, plan};
use crate::{Append, AppendId, Appended, Conflict, Error, EventId, Options, Position, StreamName};

const LOCK: &str = "SELECT 1 FROM atalaya_journal.writer FOR UPDATE";
/// By a statement of its own: it is evaluated once the lock is had.
pub(super) const CLOCK: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
const VERSIONS: &str = "
    SELECT of.name, (SELECT version FROM atalaya_journal.events WHERE stream = of.name ORDER BY version DESC LIMIT 1)
      FROM unnest($1::text[]) AS of (name)";
const MADE: &str = "SELECT id, body, first_position, last_position FROM atalaya_journal.appends WHERE id = ANY ($1)";
const TAKEN: &str = "SELECT id FROM atalaya_journal.events WHERE id = ANY ($1)";
const ANSWER: &str = "
    SELECT stream, max(version) FROM atalaya_journal.events WHERE position BETWEEN $1 AND $2
     GROUP BY stream ORDER BY min(position)";
const DECIDING: &str = "looking at what is appended to";

/// The session that writes.
pub(super) struct Writer {
    url: ConnectionUrl,
    lock_limit: Duration,
    reconnect_limit: Duration,
    connection: Mutex<Option<Connection>>,
}

/// How far an attempt came: once it may have committed, an error leaves open whether it did.
#[derive(Default)]
struct Progress {
    committing: Option<Answers>,
}

impl Writer {
    pub(super) fn new(url: ConnectionUrl, connection: Connection, options: &Options) -> Self {
        let (lock_limit, reconnect_limit) = (options.lock_limit, options.reconnect_limit);
        Self { url, lock_limit, reconnect_limit, connection: Mutex::new(Some(connection)) }
    }

    /// Decides and writes appends; answers each, and says where the journal ends.
    pub(super) async fn commit(&self, appends: &[Append]) -> Result<(Answers, Position), Error> {
        let mut connection = self.connection.lock().await;
        let mut tries = Tries::within(self.reconnect_limit);
        let mut uncertain: Option<Answers> = None;
        loop {
            let mut progress = Progress::default();
            match self.attempt(&mut connection, appends, &mut progress).await {
                Ok((answers, end)) => return Ok((reconciled(uncertain, answers), end)),
                Err(error) => {
                    if !error_is_answer(&error) {
                        uncertain = uncertain.or(progress.committing);
                    }
                    if is_passing(&error) && tries.again().await {
                        tracing::debug!("the journal's database was lost; the appends are made again");
                        continue;
                    }
                    return Err(match uncertain {
                        Some(_) => Error::Unknown { source: Box::new(error) },
                        None => error,
                    });
                }
            }
        }
    }

    /// One try on the session there is, or on a new one; a session that may be in an unknown state is dropped.
    async fn attempt(
        &self,
        slot: &mut Option<Connection>,
        appends: &[Append],
        progress: &mut Progress,
    ) -> Result<(Answers, Position), Error> {
        let mut connection = match slot.take() {
            Some(connection) if !connection.session.is_closed() => connection,
            _ => Connection::open(&self.url, Purpose::Write, self.lock_limit).await?,
        };
        let limit = self.lock_limit + STATEMENT_LIMIT;
        let made = tokio::time::timeout(limit, self.transaction(&mut connection, appends, progress)).await;
        let made = made.unwrap_or(Err(Error::Slow { action: "appending", limit }));
        let usable = match &made {
            Ok(_) => true,
            Err(error) => is_alive(error) && connection.session.batch("ROLLBACK").await.is_ok(),
        };
        *slot = usable.then_some(connection);
        made
    }

    async fn transaction(
        &self,
        connection: &mut Connection,
        appends: &[Append],
        progress: &mut Progress,
    ) -> Result<(Answers, Position), Error> {
        let planned = plan(self.known(connection, appends).await?, appends);
        let end = planned.head.position;
        if planned.rows.is_empty() {
            connection.session.batch("ROLLBACK").await.map_err(failed("ending a transaction"))?;
            return Ok((planned.answers, end));
        }
        let steps = insert::prepare(connection).await?;
        insert::tiles(connection, &planned).await?;
        progress.committing = Some(planned.answers.clone());
        steps.run(connection, &planned, self.lock_limit).await?;
        let Planned { answers, .. } = planned;
        Ok((answers, end))
    }

    /// Locks, and reads what the appends depend on. Everything is sent at once; what comes after a lock that was not had
    /// fails with it.
    async fn known(&self, connection: &mut Connection, appends: &[Append]) -> Result<Known, Error> {
        let names: HashSet<&str> = appends.iter().flat_map(Append::names).map(StreamName::as_str).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let ids: Vec<_> = appends.iter().map(|append| *append.id.as_uuid()).collect();
        let events: Vec<_> = appends.iter().flat_map(Append::events).map(|event| *event.id.as_uuid()).collect();
        let mut statements = Vec::new();
        for sql in ["BEGIN", LOCK, read::HEAD, CLOCK, VERSIONS, MADE, TAKEN] {
            statements.push(connection.statement(sql).await?);
        }
        let [begin, lock, head, clock, versions, made, taken] = statements.as_slice() else {
            return Err(Error::Closed);
        };
        let session = &connection.session;
        let ((begun, locked, head), (clock, versions, made, taken)) = futures_util::future::join(
            join3(
                session.execute_prepared(begin, &[]),
                session.query_prepared(lock, &[]),
                session.query_prepared(head, &[]),
            ),
            join4(
                session.query_prepared(clock, &[]),
                session.query_prepared(versions, &[&names]),
                session.query_prepared(made, &[&ids]),
                session.query_prepared(taken, &[&events]),
            ),
        )
        .await;
        begun.map_err(failed("beginning a transaction"))?;
        locked.map_err(held("beginning to write", self.lock_limit))?;
        let failed = failed(DECIDING);
        let head = read::head_of(&head.map_err(&failed)?)?;
        let now_us = clock.map_err(&failed)?.first().map_or(0, |row| row.get(0));
        let mut known =
            Known { head, now_us, versions: HashMap::new(), appends: HashMap::new(), taken: HashSet::new() };
        for row in versions.map_err(&failed)? {
            if let Some(version) = row.get::<_, Option<i64>>(1) {
                let stream = StreamName::new(row.get::<_, &str>(0));
                let stream = stream.map_err(|_| Error::Unappendable { reason: "a name cannot be one" })?;
                known.versions.insert(stream, unstored(version, Position::START)?);
            }
        }
        known.taken = taken.map_err(&failed)?.iter().map(|row| EventId::from_uuid(row.get(0))).collect();
        for row in made.map_err(&failed)? {
            let stored = answer_of(connection, &row).await?;
            known.appends.insert(AppendId::from_uuid(row.get(0)), stored);
        }
        Ok(known)
    }

    /// Ends the session.
    pub(super) async fn close(&self) {
        drop(self.connection.lock().await.take());
    }
}

/// What an append was answered, if it was made. Neither row of it ever changes, so that no transaction is needed.
pub(super) async fn appended(connection: &mut Connection, id: AppendId) -> Result<Option<Appended>, Error> {
    let statement = connection.statement(MADE).await?;
    let ids = [*id.as_uuid()];
    let rows = connection.session.query_prepared(&statement, &[&ids.as_slice()]).await.map_err(failed(DECIDING))?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(answer_of(connection, row).await?.answer))
}

/// What an append that was made had been answered.
async fn answer_of(connection: &mut Connection, row: &atalaya_postgres::Row) -> Result<StoredAppend, Error> {
    let (first, last): (i64, i64) = (row.get(2), row.get(3));
    let position = Position::new(unstored(first, Position::START)?);
    let body = Digest::from_slice(row.get(1));
    let body = body.ok_or(Error::Damaged { position, seen: "an append's digest has another length" })?;
    let statement = connection.statement(ANSWER).await?;
    let rows = connection.session.query_prepared(&statement, &[&first, &last]).await.map_err(failed(DECIDING))?;
    let mut versions = Vec::new();
    for row in rows {
        let stream = StreamName::new(row.get::<_, &str>(0));
        let stream = stream.map_err(|_| Error::Damaged { position, seen: "the stream's name cannot be one" })?;
        versions.push((stream, unstored(row.get(1), position)?));
    }
    let last = Position::new(unstored(last, position)?);
    Ok(StoredAppend { body, answer: Appended { first: position, last, versions, repeated: false } })
}

/// Whether the server itself said that the transaction failed, so that nothing of it is there.
fn error_is_answer(error: &Error) -> bool {
    match error {
        Error::Postgres { source, .. } => source.sqlstate().is_some_and(|state| !state.starts_with("57P")),
        Error::NoRoom { .. } | Error::Held { .. } => true,
        _ => false,
    }
}

/// An append that was made by the try whose end was not heard of is no repeat for who asked for it.
fn reconciled(uncertain: Option<Answers>, answers: Answers) -> Answers {
    let Some(uncertain) = uncertain else { return answers };
    let mut before = uncertain.into_iter();
    let same = |answer: Result<Appended, Conflict>| match (before.next(), answer) {
        (Some(Ok(planned)), Ok(repeat)) if planned.first == repeat.first && !planned.repeated => Ok(planned),
        (_, answer) => answer,
    };
    answers.into_iter().map(same).collect()
}
