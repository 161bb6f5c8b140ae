//! What the journal and other event stores can all do, on one server: one aggregate's stream, appended to one commit after
//! the other, and read.
//!
//! Each peer is a program of its own that says how long its work took: its start-up, its connections and its tables are not
//! measured, as ours are not. All of them store the same bytes, name the version that they append on top of, and wait for
//! each commit.

use std::process::Command;
use std::time::{Duration, Instant};

use atalaya_eventstore::{Append, Expected, Read, Store};

use super::{EVENTS, Kind, Place, run, since, work};
use crate::child;
use crate::error::Error;
use crate::figures::Size;
use crate::lab::{DATABASE, Lab};
use crate::pairs::{self, Side};
use crate::report::{Figure, Goal, Measured};

/// The stream's number.
const ORDER: usize = 1;
/// Commits of the streams that are read hold so many events.
const FILLED_AT_ONCE: usize = 500;

/// Another event store.
#[derive(Clone, Copy, Debug)]
enum Peer {
    Eventsourcing,
    CqrsEs,
}

/// What is done.
#[derive(Clone, Copy, Debug)]
enum Work {
    Append { commits: usize, events: usize },
    Read { events: usize },
}

pub(super) fn measure(lab: &Lab, size: &Size) -> Result<Vec<Figure>, Error> {
    let mut figures = Vec::new();
    for peer in [Peer::Eventsourcing, Peer::CqrsEs] {
        let [single, batches, read] = peer.ids();
        figures.push(appending(lab, size, peer, (single, size.journal_events / 100, 1))?);
        figures.push(appending(lab, size, peer, (batches, size.journal_events / 400, EVENTS))?);
        figures.push(reading(lab, size, peer, (read, size.journal_events / 5))?);
    }
    Ok(figures)
}

fn appending(
    lab: &Lab,
    size: &Size,
    peer: Peer,
    (id, commits, events): (&'static str, usize, usize),
) -> Result<Figure, Error> {
    let pairs = pairs::measure(size.rounds, |side| {
        let (place, _guard) = Place::make(lab, Kind::Postgres)?;
        match side {
            Side::Ours => run(async {
                let store = place.open().await?;
                let took = append(&store, commits, events).await?;
                store.close().await;
                Ok(took)
            }),
            Side::Peer => peer.does(lab, Work::Append { commits, events }),
        }
    })?;
    Ok(Figure {
        id,
        what: format!(
            "{commits} appends of {events} to one stream, each durable before the next; {}; ours chains and indexes each event; {}",
            Kind::Postgres.text(),
            peer.appends()
        ),
        measured: Measured::Seconds(pairs, peer.name()),
        goal: Goal::None,
    })
}

/// Both sides' streams stand in one database, filled and vacuumed before.
fn reading(lab: &Lab, size: &Size, peer: Peer, (id, events): (&'static str, usize)) -> Result<Figure, Error> {
    let (place, _guard) = Place::make(lab, Kind::Postgres)?;
    let commits = events / FILLED_AT_ONCE;
    let events = commits * FILLED_AT_ONCE;
    run(async {
        let store = place.open().await?;
        append(&store, commits, FILLED_AT_ONCE).await?;
        store.close().await;
        Ok(())
    })?;
    peer.does(lab, Work::Append { commits, events: FILLED_AT_ONCE })?;
    lab.target.run_sql(DATABASE, "VACUUM ANALYZE")?;
    lab.checkpoint()?;
    let pairs = pairs::measure(size.rounds, |side| match side {
        Side::Ours => run(async {
            let store = place.open().await?;
            let took = read(&store, events).await?;
            store.close().await;
            Ok(took)
        }),
        Side::Peer => peer.does(lab, Work::Read { events }),
    })?;
    Ok(Figure {
        id,
        what: format!(
            "reading a stream of {events} events; ours in pages of {}, {} in one statement",
            work::PAGE,
            peer.name()
        ),
        measured: Measured::Seconds(pairs, peer.name()),
        goal: Goal::None,
    })
}

/// Each commit names the version that it is on top of.
async fn append(store: &Store, commits: usize, events: usize) -> Result<Duration, Error> {
    let (stream, mut version) = (work::stream(ORDER)?, 0);
    let start = Instant::now();
    for _ in 0..commits {
        let new = (0..events).map(|_| work::event()).collect::<Result<_, _>>()?;
        let append = Append::to_stream(stream.clone(), Expected::Exact(version), new);
        store.append(append).await.map_err(Error::journal)?;
        version += events as u64;
    }
    Ok(since(start))
}

async fn read(store: &Store, events: usize) -> Result<Duration, Error> {
    let start = Instant::now();
    let mut pages = store.pages(Read::stream_from(work::stream(ORDER)?, 1, work::PAGE));
    let mut all = Vec::new();
    while let Some(page) = pages.next().await.map_err(Error::journal)? {
        all.extend(page);
    }
    let took = since(start);
    if all.iter().map(|event| event.version).eq(1..=events as u64) {
        Ok(took)
    } else {
        Err(Error::OtherWork(format!("{} of {events} events were read", all.len())))
    }
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Eventsourcing => "eventsourcing",
            Self::CqrsEs => "cqrs-es",
        }
    }

    fn ids(self) -> [&'static str; 3] {
        match self {
            Self::Eventsourcing => {
                ["journal-eventsourcing-single", "journal-eventsourcing-batches", "journal-eventsourcing-read"]
            }
            Self::CqrsEs => ["journal-cqrs-es-single", "journal-cqrs-es-batches", "journal-cqrs-es-read"],
        }
    }

    /// What it does for an append.
    fn appends(self) -> &'static str {
        match self {
            Self::Eventsourcing => {
                "eventsourcing 9.5 by its Postgres recorder: table locked, NOTIFY, one INSERT for all events, in a pipeline; \
                 two indexes"
            }
            Self::CqrsEs => {
                "cqrs-es 0.5 by the repository of postgres-es: BEGIN, an INSERT for each event, COMMIT, a round trip each; one \
                 index, no order over streams"
            }
        }
    }

    /// Where it stores its events.
    fn table(self) -> &'static str {
        match self {
            Self::Eventsourcing => "public.stored_events",
            Self::CqrsEs => "public.events",
        }
    }

    fn program(self) -> Result<Command, Error> {
        let (variable, script) = match self {
            Self::Eventsourcing => ("EVENTSOURCING", Some(include_str!("../../../peers/eventsourcing.py"))),
            Self::CqrsEs => ("CQRS_ES", None),
        };
        let program = std::env::var_os(variable).ok_or(Error::Missing { program: self.name().to_owned() })?;
        let mut command = Command::new(program);
        if let Some(script) = script {
            command.args(["-c", script]);
        }
        Ok(command)
    }

    /// Has it work in the target's database.
    fn does(self, lab: &Lab, work: Work) -> Result<Duration, Error> {
        let mut command = self.program()?;
        match work {
            Work::Append { commits, events } => command.args(["append", &commits.to_string(), &events.to_string()]),
            Work::Read { events } => command.args(["read", &events.to_string()]),
        };
        command.env("JOURNAL_URL", lab.target.url(DATABASE)).env("JOURNAL_DATA", work::DATA);
        let line = child::last_line(&mut command)?;
        let said: Option<serde_json::Value> = serde_json::from_str(&line).ok();
        let seconds = said.as_ref().and_then(|said| said.get("seconds")?.as_f64());
        let took = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let took = took.ok_or_else(|| Error::OtherWork(format!("{} did not say how long it took", self.name())))?;
        if let Work::Append { commits, events } = work {
            let count = format!("SELECT count(*) FROM {}", self.table());
            let stored = lab.target.run_sql(DATABASE, &count)?;
            if stored.trim() != (commits * events).to_string() {
                return Err(Error::OtherWork(format!("{} has stored {} events", self.name(), stored.trim())));
            }
        }
        Ok(took)
    }
}
