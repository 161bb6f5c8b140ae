//! What a cutover came to, measured; stands in the journal. Its JSON form is a versioned contract.

use std::time::Duration;

use atalaya_data::Lsn;
use atalaya_eventstore::{
    Append, AppendId, Direction as Way, EventType, Expected, NewEvent, Read, Selection, Store, StreamAppend, StreamName,
};
use serde::{Deserialize, Serialize};

use crate::prewarm::Prewarmed;
use crate::{Course, Courses};

/// Raised when a field changes its meaning or goes away.
const FORMAT: u32 = 1;
const CATEGORY: &str = "cutover";
const PROGRAM: &str = concat!("atalaya ", env!("CARGO_PKG_VERSION"));
/// The most flips of one database that are kept in memory; older ones are nobody's business any more.
const FLIPS_MAX: usize = 10_000;
const HISTORY_PAGE: u32 = 500;
const EVENT_TYPE: &str = "CutoverReported";

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Clients are led to the new place.
    Flipped,
    /// Everything but that was done, as it was asked for.
    Rehearsed,
    /// It was broken off; clients are where they were.
    Closed {
        /// Who closed it.
        by: String,
        /// Why.
        reason: String,
    },
}

/// One stage of the critical section. Stages may overlap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name.
    pub stage: String,
    /// When it began, after the first gate was asked to close; 0 for what came before.
    pub began_us: u64,
    /// How long it took.
    pub took_us: u64,
}

/// One gateway's part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateReport {
    /// Where it was asked.
    pub gateway: String,
    /// How long its last transaction was waited for.
    pub drained_us: u64,
    /// How long it held clients, by its own clock.
    pub paused_us: u64,
    /// Clients that were held.
    pub clients_held: u64,
    /// Clients that were ended, since they were tied to their server.
    pub clients_ended: u64,
    /// Others that were ended, since they knew types by numbers that the other server gives to other types.
    #[serde(default)]
    pub clients_misled: u64,
    /// Transactions that failed: requests that it refused while it was closed, since they had waited for too long.
    #[serde(default)]
    pub failed: u64,
    /// The longest that a client waited.
    pub longest_wait_us: u64,
    /// Why it did not answer; it then opens by itself when its lease is over, where the journal says.
    pub unsettled: Option<String>,
}

/// What a command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandKind {
    /// It holds clients.
    Hold,
    /// It leads clients to where the journal says.
    Switch,
    /// It lets clients go on where they are.
    Release,
}

impl CommandKind {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Switch => "switch",
            Self::Release => "release",
        }
    }
}

/// What became of a command of the operator's. Never holds the command itself, which may name what is nobody's business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandReport {
    /// What it was for.
    pub command: CommandKind,
    /// How long it took.
    pub took_us: u64,
    /// Its exit code, where it came to one.
    pub exit_code: Option<i32>,
    /// Why it counts as failed; none where it did what it was to do.
    pub failure: Option<String>,
    /// The end of what it wrote to its standard output. For whoever ran it only: nobody knows what it says, so that it
    /// stands in no journal.
    #[serde(skip)]
    pub output: String,
}

/// The whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The version of this form.
    pub format: u32,
    /// Who was led where.
    #[serde(flatten)]
    pub course: Course,
    /// The migrations whose clients were led by the same decision, besides this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<String>,
    /// Under which epoch of the route.
    pub epoch: u64,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Whether a process went on with what another one had begun: figures of that one are missing.
    pub resumed: bool,
    /// From the first gate that was asked to close to the last one that said that it is open.
    pub pause_us: u64,
    /// The stages in the order in which they ended.
    pub stages: Vec<Stage>,
    /// Each gateway.
    pub gateways: Vec<GateReport>,
    /// The commands that were run in place of a gateway, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<CommandReport>,
    /// Sessions of the server that was left that were ended.
    pub sessions_ended: u64,
    /// Sessions of superusers there that could not be.
    pub sessions_beyond_reach: u64,
    /// Rows that were compared with both sides at rest.
    pub rows_proven: u64,
    /// Tables that only a comparison longer than any pause could have proven.
    pub unproven: Vec<String>,
    /// Sequences that were set.
    pub sequences: u64,
    /// Behind which position nobody who is kept out has written.
    pub fenced_at: Option<Lsn>,
    /// Up to which everything was applied.
    pub marker: Option<Lsn>,
    /// What was read into the cache of where clients are led, where that was asked for.
    #[serde(default)]
    pub prewarmed: Option<Prewarmed>,
    /// What did not go well behind the decision, and has to be looked at.
    pub remarks: Vec<String>,
    /// Who did it, such as `atalaya 0.1.0`.
    #[serde(default)]
    pub program: Option<String>,
    /// The major version of the server that clients were on, where it was seen.
    #[serde(default)]
    pub from_major: Option<u32>,
    /// The major version of the server that they were to be led to.
    #[serde(default)]
    pub to_major: Option<u32>,
}

/// A report as it stands in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedReport {
    /// When it was written down, in microseconds since 1970 UTC.
    pub recorded_at_us: i64,
    /// What it says.
    pub report: Report,
}

/// What a cutover of several databases came to: one decision, and a report of each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReportOfSeveral<'a> {
    /// The version of this form, and of each report's.
    pub format: u32,
    /// What became of all of them.
    #[serde(flatten)]
    pub outcome: &'a Outcome,
    /// From the first gate of any that was asked to close to the last one that said that it is open.
    pub pause_us: u64,
    /// Each, in the order of the databases' names.
    pub databases: &'a [Report],
}

impl<'a> ReportOfSeveral<'a> {
    /// The whole of what was led by one decision; none where nothing was.
    #[must_use]
    pub fn of(databases: &'a [Report]) -> Option<Self> {
        let outcome = &databases.first()?.outcome;
        let pause_us = databases.iter().map(|report| report.pause_us).max().unwrap_or(0);
        Some(Self { format: FORMAT, outcome, pause_us, databases })
    }
}

impl Report {
    pub(crate) fn new(course: &Course, courses: &Courses, epoch: u64) -> Self {
        let others = courses.iter().filter(|other| other.database != course.database);
        Self {
            format: FORMAT,
            course: course.clone(),
            with: others.map(|other| other.migration.clone()).collect(),
            epoch,
            outcome: Outcome::Closed { by: String::new(), reason: String::new() },
            resumed: false,
            pause_us: 0,
            stages: Vec::new(),
            gateways: Vec::new(),
            commands: Vec::new(),
            sessions_ended: 0,
            sessions_beyond_reach: 0,
            rows_proven: 0,
            unproven: Vec::new(),
            sequences: 0,
            fenced_at: None,
            marker: None,
            prewarmed: None,
            remarks: Vec::new(),
            program: Some(PROGRAM.to_owned()),
            from_major: None,
            to_major: None,
        }
    }

    /// Why a command did not lead clients to where the journal says that they are led; none where it did, or none had to.
    #[must_use]
    pub fn unswitched(&self) -> Option<&str> {
        let mut switches = self.commands.iter().rev().filter(|ran| ran.command == CommandKind::Switch);
        switches.next().and_then(|ran| ran.failure.as_deref()).filter(|_| self.outcome == Outcome::Flipped)
    }

    /// Writes down what a cutover came to, each report in the stream of its database, all of them at once.
    ///
    /// # Errors
    /// When the journal does not take them.
    pub async fn record(reports: &[Self], store: &Store) -> Result<(), atalaya_eventstore::Error> {
        let streams: Vec<StreamAppend> = reports.iter().filter_map(Self::to_append).collect();
        if streams.is_empty() {
            return Ok(());
        }
        store.append(Append { id: AppendId::generate(), streams, guards: Vec::new() }).await?;
        Ok(())
    }

    fn to_append(&self) -> Option<StreamAppend> {
        let stream = StreamName::new(format!("{CATEGORY}-{}", self.course.database)).ok()?;
        let (event_type, data) = (EventType::new(EVENT_TYPE).ok()?, serde_json::to_vec(self).ok()?);
        Some(StreamAppend { stream, expected: Expected::Any, events: vec![NewEvent::new(event_type, data)] })
    }

    /// Those of a database by which clients were led elsewhere, in the journal's order, as far as this version can read them:
    /// the newest, should there be too many. Rehearsals, and what was broken off, are passed over.
    ///
    /// # Errors
    /// When the journal does not answer.
    pub async fn flips(store: &Store, database: &str) -> Result<Vec<RecordedReport>, atalaya_eventstore::Error> {
        let mut reports = Vec::new();
        let Ok(stream) = StreamName::new(format!("{CATEGORY}-{database}")) else { return Ok(reports) };
        let selection = Selection::Stream(stream);
        let mut read = Read { selection, direction: Way::Backward, from: None, limit: HISTORY_PAGE };
        while reports.len() < FLIPS_MAX {
            let page = store.read(read.clone()).await?;
            reports.extend(page.events.iter().filter_map(|event| {
                let report: Self = serde_json::from_slice(event.data.as_deref()?).ok()?;
                let is_flip = report.outcome == Outcome::Flipped;
                is_flip.then_some(RecordedReport { recorded_at_us: event.recorded_at_us, report })
            }));
            match page.next {
                Some(next) => read.from = Some(next),
                None => break,
            }
        }
        reports.truncate(FLIPS_MAX);
        reports.reverse();
        Ok(reports)
    }

    /// The last one of a database, where this version can read it.
    ///
    /// # Errors
    /// When the journal does not answer.
    pub async fn last(store: &Store, database: &str) -> Result<Option<Self>, atalaya_eventstore::Error> {
        let Ok(stream) = StreamName::new(format!("{CATEGORY}-{database}")) else { return Ok(None) };
        let read = Read { selection: Selection::Stream(stream), direction: Way::Backward, from: None, limit: 1 };
        let page = store.read(read).await?;
        let data = page.events.first().and_then(|event| event.data.clone());
        Ok(data.and_then(|data| serde_json::from_slice(&data).ok()))
    }
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
