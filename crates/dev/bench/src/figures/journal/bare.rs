//! The same rows, indexes and commits without a journal: what a loop in a service would do at best.
//!
//! The rows are made beforehand, and nothing is hashed, checked or answered.

use std::path::Path;
use std::time::{Duration, Instant};

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::{Session, Step};

use super::{since, work};
use crate::error::Error;

const DIGEST: [u8; 32] = [7; 32];

/// What stands in the columns of one event; the rest is the same in all.
struct Event {
    position: i64,
    stream: String,
    version: i64,
    id: [u8; 16],
}

/// One commit's append.
struct Commit {
    id: [u8; 16],
    events: Vec<Event>,
}

fn commits(count: usize, events: usize) -> Result<Vec<Commit>, Error> {
    let (mut made, mut position) = (Vec::with_capacity(count), 0);
    let mut versions = std::collections::HashMap::new();
    for number in 0..count {
        let append = work::append_of(number, events)?;
        let mut rows = Vec::with_capacity(events);
        for of in &append.streams {
            let version = versions.entry(of.stream.to_string()).or_insert(0_i64);
            for event in &of.events {
                position += 1;
                *version += 1;
                let id = *event.id.as_uuid().as_bytes();
                rows.push(Event { position, stream: of.stream.to_string(), version: *version, id });
            }
        }
        made.push(Commit { id: *append.id.as_uuid().as_bytes(), events: rows });
    }
    Ok(made)
}

/// In a file that holds the journal's tables.
pub(super) fn in_file(path: &Path, count: usize, events: usize) -> Result<Duration, Error> {
    let commits = commits(count, events)?;
    let data = work::event()?.data;
    let bare = || {
        let connection = rusqlite::Connection::open(path)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let start = Instant::now();
        for commit in &commits {
            connection.execute_batch("BEGIN IMMEDIATE")?;
            let mut insert = connection.prepare_cached(
                "INSERT INTO events (position, stream, version, category, type, schema, id, append, recorded_at_us,
                                     metadata, data_digest, leaf, chain, data)
                 VALUES (?1, ?2, ?3, 'order', 'OrderPlaced', 1, ?4, ?5, 1, x'', ?6, ?6, ?6, ?7)",
            )?;
            for event in &commit.events {
                let row =
                    rusqlite::params![event.position, event.stream, event.version, event.id, commit.id, DIGEST, &*data];
                insert.execute(row)?;
            }
            let (first, last) = ends(commit);
            connection
                .prepare_cached("INSERT INTO appends VALUES (?1, ?2, ?3, ?4)")?
                .execute(rusqlite::params![commit.id, DIGEST, first, last])?;
            connection.prepare_cached("UPDATE head SET position = ?1, chain = ?2")?.execute((last, DIGEST))?;
            connection.execute_batch("COMMIT")?;
        }
        Ok::<_, rusqlite::Error>(since(start))
    };
    bare().map_err(Error::journal)
}

fn ends(commit: &Commit) -> (i64, i64) {
    let position = |event: Option<&Event>| event.map_or(0, |event| event.position);
    (position(commit.events.first()), position(commit.events.last()))
}

/// In a database that holds the journal's tables: everything of a commit in one round trip.
pub(super) async fn in_database(url: &ConnectionUrl, count: usize, events: usize) -> Result<Duration, Error> {
    let commits = commits(count, events)?;
    let data = work::event()?.data;
    let session = Session::connect(url, "bare loop").await.map_err(Error::journal)?;
    let prepare = async |sql: &str| session.prepare(sql).await.map_err(Error::journal);
    let begin = prepare("BEGIN").await?;
    let insert = prepare(
        "INSERT INTO atalaya_journal.events (position, stream, version, id, append, data, category, type, schema,
                                             recorded_at_us, metadata, data_digest, leaf, chain)
         SELECT place, stream, version, id::uuid, $5::text::uuid, data, 'order', 'OrderPlaced', 1, 1, '', $7, $7, $7
           FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $6::bytea[])
                AS of (place, stream, version, id, data)",
    )
    .await?;
    let append =
        prepare("INSERT INTO atalaya_journal.appends VALUES ($1::text::uuid, $2, $3::bigint, $4::bigint)").await?;
    let head = prepare("UPDATE atalaya_journal.head SET position = $1, chain = $2").await?;
    let commit_statement = prepare("COMMIT").await?;
    let start = Instant::now();
    for commit in &commits {
        let column = |of: fn(&Event) -> i64| commit.events.iter().map(of).collect::<Vec<_>>();
        let text = |of: fn(&Event) -> String| commit.events.iter().map(of).collect::<Vec<_>>();
        let (first, last) = ends(commit);
        let (id, digest) = (hex(&commit.id), DIGEST.as_slice());
        let results = session
            .pipeline(&[
                Step { statement: &begin, parameters: &[] },
                Step {
                    statement: &insert,
                    parameters: &[
                        &column(|event| event.position),
                        &text(|event| event.stream.clone()),
                        &column(|event| event.version),
                        &text(|event| hex(&event.id)),
                        &id,
                        &commit.events.iter().map(|_| &*data).collect::<Vec<_>>(),
                        &digest,
                    ],
                },
                Step { statement: &append, parameters: &[&id, &digest, &first, &last] },
                Step { statement: &head, parameters: &[&last, &digest] },
                Step { statement: &commit_statement, parameters: &[] },
            ])
            .await;
        for result in results {
            result.map_err(Error::journal)?;
        }
    }
    Ok(since(start))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
