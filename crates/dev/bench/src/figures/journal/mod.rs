//! The journal: appending beside a bare loop that writes the same rows in as many commits, many writers at once with a
//! reader that must miss nothing, and reading.

mod bare;
mod grouped;
mod work;

use std::future::Future;
use std::time::{Duration, Instant};

use atalaya_estate::ConnectionUrl;
use atalaya_eventstore::{Options, Store};

use super::Size;
use crate::error::Error;
use crate::lab::{DATABASE, Lab};
use crate::pairs::{self, Side};
use crate::report::{Figure, Goal, Measured};

/// Events of one append where appends are made one after the other.
const EVENTS: usize = 16;
/// Tasks that append single events at once.
const WRITERS: usize = 16;

/// Where a journal is kept.
#[derive(Clone, Debug)]
enum Place {
    File(std::path::PathBuf),
    Database(Box<ConnectionUrl>),
}

impl Place {
    /// A new file, or a new database on the target.
    fn make(lab: &Lab, kind: Kind) -> Result<(Self, Guard), Error> {
        match kind {
            Kind::Sqlite => {
                let folder =
                    tempfile::tempdir().map_err(|source| Error::Run { program: "mkdir".to_owned(), source })?;
                Ok((Self::File(folder.path().join("journal.db")), Guard(Some(folder))))
            }
            Kind::Postgres => {
                lab.empty_target()?;
                lab.checkpoint()?;
                let url = ConnectionUrl::parse(&lab.target.url(DATABASE));
                let url = url.map_err(|error| Error::OtherWork(error.to_string()))?;
                Ok((Self::Database(Box::new(url)), Guard(None)))
            }
        }
    }

    async fn open(&self) -> Result<Store, Error> {
        let store = match self {
            Self::File(path) => Store::open_sqlite(path, Options::default()).await,
            Self::Database(url) => Store::open_postgres(url, Options::default()).await,
        };
        store.map_err(Error::journal)
    }
}

/// Keeps the folder of a file for as long as it is measured.
struct Guard(#[expect(dead_code, reason = "held, never read")] Option<tempfile::TempDir>);

#[derive(Clone, Copy, Debug)]
enum Kind {
    Sqlite,
    Postgres,
}

pub(super) fn measure(lab: &Lab, size: Size) -> Result<Vec<Figure>, Error> {
    let grouped = size.journal_events;
    Ok(vec![
        beside_bare_loop(lab, size, Kind::Sqlite)?,
        beside_bare_loop(lab, size, Kind::Postgres)?,
        at_once(lab, grouped, Kind::Sqlite)?,
        at_once(lab, grouped, Kind::Postgres)?,
        reading(lab, grouped, Kind::Sqlite)?,
        reading(lab, grouped, Kind::Postgres)?,
    ])
}

/// Appends one after the other, beside the same rows and commits by hand.
fn beside_bare_loop(lab: &Lab, size: Size, kind: Kind) -> Result<Figure, Error> {
    let commits = size.journal_events / EVENTS / 10;
    let turn = |side| {
        let (place, _guard) = Place::make(lab, kind)?;
        run(async {
            // The tables, on both sides.
            let store = place.open().await?;
            if side == Side::Peer {
                store.close().await;
                return match &place {
                    Place::File(path) => bare::in_file(path, commits, EVENTS),
                    Place::Database(url) => bare::in_database(url, commits, EVENTS).await,
                };
            }
            let took = work::append_in_turn(&store, commits, EVENTS).await?;
            store.close().await;
            Ok(took)
        })
    };
    let pairs = pairs::measure(size.rounds, turn)?;
    let (id, place) = match kind {
        Kind::Sqlite => ("journal-append-sqlite", "SQLite, synchronous = FULL"),
        Kind::Postgres => ("journal-append-postgres", "Postgres 15, synchronous_commit on"),
    };
    Ok(Figure {
        id,
        what: format!("{commits} appends of {EVENTS} events, each durable before the next; {place}"),
        measured: Measured::Seconds(pairs, "bare loop"),
        goal: Goal::RatioAtMost(2.0),
    })
}

/// Many writers of single events, beside a reader that goes on as fast as it can.
fn at_once(lab: &Lab, events: usize, kind: Kind) -> Result<Figure, Error> {
    let (place, _guard) = Place::make(lab, kind)?;
    let took = run(grouped::measure(&place, events, WRITERS))?;
    let (id, goal) = match kind {
        Kind::Sqlite => ("journal-grouped-sqlite", 8_000.0),
        Kind::Postgres => ("journal-grouped-postgres", 8_000.0),
    };
    Ok(Figure {
        id,
        what: format!("{events} single events by {WRITERS} writers; a reader beside them missed none of them"),
        measured: Measured::Rate { count: events as u64, seconds: took.as_secs_f64() },
        goal: Goal::PerSecondAtLeast(goal),
    })
}

/// The whole journal, page by page.
fn reading(lab: &Lab, events: usize, kind: Kind) -> Result<Figure, Error> {
    let (place, _guard) = Place::make(lab, kind)?;
    let took = run(async {
        let store = place.open().await?;
        work::fill(&store, events).await?;
        let took = work::read_all(&store, events).await?;
        store.close().await;
        Ok(took)
    })?;
    let id = match kind {
        Kind::Sqlite => "journal-read-sqlite",
        Kind::Postgres => "journal-read-postgres",
    };
    Ok(Figure {
        id,
        what: format!("reading {events} events in pages of {}", work::PAGE),
        measured: Measured::Rate { count: events as u64, seconds: took.as_secs_f64() },
        goal: Goal::PerSecondAtLeast(300_000.0),
    })
}

fn run<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|source| Error::Run { program: "tokio".to_owned(), source })?.block_on(work)
}

fn since(start: Instant) -> Duration {
    start.elapsed()
}
