//! The journal: appending beside a bare loop that writes the same rows in as many commits, many writers at once with a
//! reader that must miss nothing, reading, verifying, sagas, and all that peers can do too beside them.

mod bare;
mod grouped;
mod peers;
mod sagas;
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

impl Kind {
    const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// What it is, and what makes a commit durable there.
    fn text(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite, synchronous = FULL",
            Self::Postgres => "Postgres 15, synchronous_commit on",
        }
    }
}

pub(super) fn measure(lab: &Lab, size: &Size) -> Result<Vec<Figure>, Error> {
    let grouped = size.journal_events;
    let mut figures = Vec::new();
    for kind in Kind::BOTH {
        figures.push(beside_bare_loop(lab, size, kind)?);
        figures.extend(at_once(lab, grouped, kind)?);
        figures.push(reading(lab, grouped, kind)?);
    }
    Ok(figures)
}

/// Sagas of three steps.
pub(super) fn measure_sagas(lab: &Lab, size: &Size) -> Result<Vec<Figure>, Error> {
    Kind::BOTH.into_iter().map(|kind| sagas_in_flight(lab, size.journal_events / 100, kind)).collect()
}

/// Beside other event stores in the same server.
pub(super) fn measure_peers(lab: &Lab, size: &Size) -> Result<Vec<Figure>, Error> {
    peers::measure(lab, size)
}

/// Appends one after the other, beside the same rows and commits by hand.
fn beside_bare_loop(lab: &Lab, size: &Size, kind: Kind) -> Result<Figure, Error> {
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
    let id = match kind {
        Kind::Sqlite => "journal-append-sqlite",
        Kind::Postgres => "journal-append-postgres",
    };
    Ok(Figure {
        id,
        what: format!("{commits} appends of {EVENTS} events, each durable before the next; {}", kind.text()),
        measured: Measured::Seconds(pairs, "bare loop"),
        goal: Goal::RatioAtMost(2.0),
    })
}

/// Many writers of single events, beside a reader that goes on as fast as it can; then what they wrote is verified.
fn at_once(lab: &Lab, events: usize, kind: Kind) -> Result<[Figure; 2], Error> {
    let (place, _guard) = Place::make(lab, kind)?;
    let took = run(grouped::measure(&place, events, WRITERS))?;
    let verified = run(async {
        let store = place.open().await?;
        let took = work::verify_all(&store, events).await?;
        store.close().await;
        Ok(took)
    })?;
    let (grouped, verify) = match kind {
        Kind::Sqlite => ("journal-grouped-sqlite", "journal-verify-sqlite"),
        Kind::Postgres => ("journal-grouped-postgres", "journal-verify-postgres"),
    };
    let figure = |id, what, took: Duration, least| Figure {
        id,
        what,
        measured: Measured::Rate { count: events as u64, seconds: took.as_secs_f64() },
        goal: Goal::PerSecondAtLeast(least),
    };
    let written = format!(
        "{events} single events by {WRITERS} writers, each answered once durable; a reader beside them saw each of the \
         {events} positions in its turn"
    );
    let looked = format!(
        "verifying these {events} events of {events} appends: every digest, leaf, link, version, append, tile and the head \
         computed anew"
    );
    Ok([figure(grouped, written, took, 8_000.0), figure(verify, looked, verified, 200_000.0)])
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

/// Sagas by one coordinator.
fn sagas_in_flight(lab: &Lab, count: usize, kind: Kind) -> Result<Figure, Error> {
    let (place, _guard) = Place::make(lab, kind)?;
    let took = run(sagas::measure(&place, count))?;
    let (id, goal) = match kind {
        Kind::Sqlite => ("journal-sagas-sqlite", Goal::PerSecondAtLeast(500.0)),
        Kind::Postgres => ("journal-sagas-postgres", Goal::None),
    };
    Ok(Figure {
        id,
        what: format!(
            "{count} sagas of three steps, {} in flight, from their start until all have completed; each step's intent \
             durable before it is asked for, its outcome before the next; {}",
            sagas::IN_FLIGHT,
            kind.text()
        ),
        measured: Measured::Rate { count: count as u64, seconds: took.as_secs_f64() },
        goal,
    })
}

fn run<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|source| Error::Run { program: "tokio".to_owned(), source })?.block_on(work)
}

fn since(start: Instant) -> Duration {
    start.elapsed()
}
