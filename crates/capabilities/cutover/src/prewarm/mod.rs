//! Fills the cache of the server that clients are led to with what the server that they leave has in its own.
//!
//! Rows were copied, so that blocks of both sides do not correspond: a relation counts by how much of it is cached, and by the
//! part of it where that is ([`plan`] says how). Nothing of it is needed for a cutover to be right; whatever fails is told, and
//! clients are led away all the same. One session reads on each side, and nothing is written.

mod buffers;
mod fill;
mod plan;

use std::sync::Arc;
use std::time::Duration;

use atalaya_postgres::Session;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use self::plan::Load;
use crate::course::{Course, Means};
use crate::{Error, extension};

const APPLICATION: &str = "atalaya cutover";
/// A chunk that was begun in time may end after it; a server that says nothing at all is waited for no longer.
const CHUNK_LIMIT: Duration = Duration::from_secs(5);

/// That it is asked for, and within which bounds. Cheap to clone.
#[derive(Clone)]
pub struct Prewarm {
    /// How long it may take.
    pub limit: Duration,
    /// Who is told how far it is.
    pub progress: Arc<dyn Progress>,
}

/// Takes what is told while it goes on.
pub trait Progress: Send + Sync {
    /// After each chunk.
    fn tell(&self, warming: &Warming);

    /// It has ended, wherever it was.
    fn ended(&self);
}

/// Takes it and shows nothing.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn tell(&self, _warming: &Warming) {}

    fn ended(&self) {}
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warming {
    /// What was read so far, whether it was in the cache already or not.
    pub loaded_bytes: u64,
    /// All that is to be read.
    pub planned_bytes: u64,
    /// The relation that it is at, by its schema and name.
    pub relation: String,
}

/// What it came to. Stands in the report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prewarmed {
    /// Relations of which anything was read.
    pub relations: u64,
    /// What was read.
    pub loaded_bytes: u64,
    /// What was to be read.
    pub planned_bytes: u64,
    /// How long it took.
    pub took_us: u64,
    /// Why not everything was read.
    pub cut_short: Option<String>,
}

/// What would be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outlook {
    pub(crate) relations: u64,
    pub(crate) planned_bytes: u64,
    /// What the server that is left has in its cache of this database.
    pub(crate) cached_bytes: u64,
    /// Relations that have no counterpart of their name.
    pub(crate) absent: u64,
    /// Whether more would be read, had the other server a larger cache.
    pub(crate) is_cut: bool,
}

/// A side that lacks what it takes.
#[derive(Debug)]
pub(crate) struct Missing {
    pub(crate) place: String,
    pub(crate) extension: &'static str,
}

/// What bounds it.
struct Bounds<'a> {
    asked: &'a Prewarm,
    until: Instant,
}

fn out_of_time(asked: &Prewarm) -> String {
    format!("it was given no more than {} s", asked.limit.as_secs_f64())
}

/// Both sides, with the schemas of what it takes.
struct Sides {
    leaving: Session,
    buffercache: String,
    arriving: Session,
    prewarm: String,
}

impl Sides {
    async fn connect(course: &Course, means: &Means, limit: Duration) -> Result<Result<Self, Vec<Missing>>, Error> {
        let connect = async |place: &str| {
            let session = Session::connect_for_control(means.url(course, place)?, APPLICATION).await?;
            session.batch(&format!("SET statement_timeout = {}", limit.as_millis().max(1))).await?;
            Ok::<_, Error>(session)
        };
        let (leaving, arriving) = (connect(&course.from).await?, connect(&course.to).await?);
        let buffercache = extension::schema_of(&leaving, "pg_buffercache").await?;
        let prewarm = extension::schema_of(&arriving, "pg_prewarm").await?;
        Ok(match (buffercache, prewarm) {
            (Some(buffercache), Some(prewarm)) => Ok(Self { leaving, buffercache, arriving, prewarm }),
            (buffercache, prewarm) => {
                let lacks = [
                    (buffercache.is_none(), &course.from, "pg_buffercache"),
                    (prewarm.is_none(), &course.to, "pg_prewarm"),
                ];
                let missing = lacks.into_iter().filter(|(is_missing, ..)| *is_missing);
                Err(missing.map(|(_, place, extension)| Missing { place: place.clone(), extension }).collect())
            }
        })
    }

    async fn plan(&self) -> Result<Load, Error> {
        let cached = buffers::cached(&self.leaving, &self.buffercache).await?;
        Ok(plan::plan(cached, &buffers::room(&self.arriving).await?))
    }
}

/// What would be read, or what it lacks.
pub(crate) async fn outlook(
    course: &Course,
    means: &Means,
    limit: Duration,
) -> Result<Result<Outlook, Vec<Missing>>, Error> {
    Ok(match Sides::connect(course, means, limit).await? {
        Ok(sides) => Ok(sides.plan().await?.outlook()),
        Err(missing) => Err(missing),
    })
}

/// Does it. Never fails: whatever keeps it from its end is part of what it came to.
pub(crate) async fn run(course: &Course, means: &Means, asked: &Prewarm) -> Prewarmed {
    let began = Instant::now();
    let until = began + asked.limit;
    let mut done = Prewarmed::default();
    let working = async {
        match Sides::connect(course, means, asked.limit).await? {
            Ok(sides) => {
                let load = sides.plan().await?;
                done.planned_bytes = load.bytes();
                fill::fill(&sides.arriving, &sides.prewarm, &load, &Bounds { asked, until }, &mut done).await?;
                Ok(None)
            }
            // It was there when the preflight looked.
            Err(missing) => {
                let names: Vec<&str> = missing.iter().map(|missing| missing.extension).collect();
                Ok::<_, Error>(Some(format!("there is no extension {}", names.join(" and "))))
            }
        }
    };
    let trouble = match tokio::time::timeout_at(until + CHUNK_LIMIT, working).await {
        Ok(Ok(trouble)) => trouble,
        Ok(Err(error)) => Some(atalaya_data::chain(&error)),
        Err(_) => Some(out_of_time(asked)),
    };
    asked.progress.ended();
    if trouble.is_some() {
        done.cut_short = trouble;
    }
    done.took_us = crate::report::micros(began.elapsed());
    if let Some(why) = &done.cut_short {
        tracing::warn!(why, loaded = done.loaded_bytes, planned = done.planned_bytes, "the cache is filled in part");
    }
    done
}
