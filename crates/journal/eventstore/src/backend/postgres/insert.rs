//! Writes what was planned, all rows of a table in one statement, and commits.

use std::time::Duration;

use atalaya_postgres::{Statement, Step};
use uuid::Uuid;

use super::super::stored;
use super::connection::Connection;
use super::failure::{failed, held};
use super::listen::CHANNEL;
use crate::Error;
use crate::commit::{Planned, Row};

const EVENTS: &str = "
    INSERT INTO atalaya_journal.events (position, stream, version, category, type, schema, id, append, correlation,
                                        causation, recorded_at_us, metadata, data_digest, leaf, chain, data)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::uuid[],
                         $8::uuid[], $9::uuid[], $10::uuid[], $11::bigint[], $12::bytea[], $13::bytea[], $14::bytea[],
                         $15::bytea[], $16::bytea[])";
const APPENDS: &str = "
    INSERT INTO atalaya_journal.appends (id, body, first_position, last_position)
    SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bigint[], $4::bigint[])";
const HEAD: &str = "INSERT INTO atalaya_journal.head (position, chain, frontier) VALUES ($1, $2, $3)";
const OLD_HEAD: &str = "DELETE FROM atalaya_journal.head WHERE position = $1";
const NOTIFY: &str = "SELECT pg_notify($1, $2)";

const TILES: &str = "
    INSERT INTO atalaya_journal.tiles (level, number, root)
    SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[])";

/// Writes roots of subtrees, where there are any: once in 256 events.
pub(super) async fn tiles(connection: &mut Connection, planned: &Planned<'_>) -> Result<(), Error> {
    if planned.tiles.is_empty() {
        return Ok(());
    }
    let statement = connection.statement(TILES).await?;
    let tiles = &planned.tiles;
    let (levels, numbers, roots): (Vec<i16>, Vec<i64>, Vec<&[u8]>) = (
        tiles.iter().map(|tile| i16::from(tile.level)).collect(),
        tiles.iter().map(|tile| stored(tile.index)).collect(),
        tiles.iter().map(|tile| tile.root.as_bytes().as_slice()).collect(),
    );
    let written = connection.session.execute_prepared(&statement, &[&levels, &numbers, &roots]).await;
    written.map(drop).map_err(failed("writing events"))
}

/// The statements of a commit, prepared.
pub(super) struct Steps {
    events: Statement,
    appends: Statement,
    head: Statement,
    old_head: Statement,
    notify: Statement,
    commit: Statement,
}

/// Prepares them on a session.
pub(super) async fn prepare(connection: &mut Connection) -> Result<Steps, Error> {
    Ok(Steps {
        events: connection.statement(EVENTS).await?,
        appends: connection.statement(APPENDS).await?,
        head: connection.statement(HEAD).await?,
        old_head: connection.statement(OLD_HEAD).await?,
        notify: connection.statement(NOTIFY).await?,
        commit: connection.statement("COMMIT").await?,
    })
}

/// A column of the events.
fn column<'r, T>(planned: &'r Planned<'_>, of: impl Fn(&'r Row<'_>) -> T) -> Vec<T> {
    planned.rows.iter().map(of).collect()
}

impl Steps {
    /// Runs them in one round trip. It is committed only when each of them succeeded.
    pub(super) async fn run(
        &self,
        connection: &Connection,
        planned: &Planned<'_>,
        lock_limit: Duration,
    ) -> Result<(), Error> {
        let made: Vec<_> = planned.appends.iter().map(|(id, made)| (*id.as_uuid(), made)).collect();
        let (first, end) =
            (planned.rows.first().map_or(0, |row| row.position.number()), planned.head.position.number());
        let results = connection
            .session
            .pipeline(&[
                Step {
                    statement: &self.events,
                    parameters: &[
                        &column(planned, |row| stored(row.position.number())),
                        &column(planned, |row| row.stream.as_str()),
                        &column(planned, |row| stored(row.version)),
                        &column(planned, |row| row.stream.category()),
                        &column(planned, |row| row.event.event_type.as_str()),
                        &column(planned, |row| i64::from(row.event.schema)),
                        &column(planned, |row| *row.event.id.as_uuid()),
                        &column(planned, |row| *row.append.as_uuid()),
                        &column(planned, |row| row.event.correlation),
                        &column(planned, |row| row.event.causation),
                        &column(planned, |row| row.recorded_at_us),
                        &column(planned, |row| &*row.event.metadata),
                        &column(planned, |row| row.data_digest.as_bytes().as_slice()),
                        &column(planned, |row| row.leaf.as_bytes().as_slice()),
                        &column(planned, |row| row.chain.as_bytes().as_slice()),
                        &column(planned, |row| &*row.event.data),
                    ],
                },
                Step {
                    statement: &self.appends,
                    parameters: &[
                        &made.iter().map(|(id, _)| *id).collect::<Vec<Uuid>>(),
                        &made.iter().map(|(_, made)| made.body.as_bytes().as_slice()).collect::<Vec<_>>(),
                        &made.iter().map(|(_, made)| stored(made.answer.first.number())).collect::<Vec<_>>(),
                        &made.iter().map(|(_, made)| stored(made.answer.last.number())).collect::<Vec<_>>(),
                    ],
                },
                Step {
                    statement: &self.head,
                    parameters: &[
                        &stored(end),
                        &planned.head.chain.as_bytes().as_slice(),
                        &planned.head.frontier.to_bytes(),
                    ],
                },
                Step { statement: &self.old_head, parameters: &[&stored(first.saturating_sub(1))] },
                Step { statement: &self.notify, parameters: &[&CHANNEL, &end.to_string()] },
                Step { statement: &self.commit, parameters: &[] },
            ])
            .await;
        // The first that failed says why; those after it only that it did.
        results.into_iter().try_for_each(|result| result.map(drop).map_err(held("writing events", lock_limit)))
    }
}
