//! What a cutover came to, measured; stands in the journal. Its JSON form is a versioned contract.

use std::time::Duration;

use atalaya_data::Lsn;
use atalaya_eventstore::{
    Append, AppendId, Direction as Way, EventType, Expected, NewEvent, Read, Selection, Store, StreamAppend, StreamName,
};
use serde::{Deserialize, Serialize};

use crate::{Course, Courses};

/// Raised when a field changes its meaning or goes away.
const FORMAT: u32 = 1;
const CATEGORY: &str = "cutover";
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
    /// The longest that a client waited.
    pub longest_wait_us: u64,
    /// Why it did not answer; it then opens by itself when its lease is over, where the journal says.
    pub unsettled: Option<String>,
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
    /// What did not go well behind the decision, and has to be looked at.
    pub remarks: Vec<String>,
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
            sessions_ended: 0,
            sessions_beyond_reach: 0,
            rows_proven: 0,
            unproven: Vec::new(),
            sequences: 0,
            fenced_at: None,
            marker: None,
            remarks: Vec::new(),
        }
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
