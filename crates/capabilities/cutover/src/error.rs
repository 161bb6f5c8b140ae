//! Why clients could not be led away.

mod hint;

use std::time::Duration;

use crate::commands::COMMANDS;
use crate::fence::FenceError;
use crate::preflight::PreflightReport;
use crate::{Course, Courses, PartError};

/// Why clients could not be led away.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A server.
    #[error(transparent)]
    Postgres(#[from] atalaya_postgres::Error),
    /// The fence.
    #[error("the server that is left cannot be fenced")]
    Fence(#[from] FenceError),
    /// The route in the journal.
    #[error(transparent)]
    Route(#[from] atalaya_route::Error),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] atalaya_eventstore::Error),
    /// The saga.
    #[error("the saga of the cutover cannot go on")]
    Saga(#[from] atalaya_saga::Error),
    /// A gateway.
    #[error("{}", at(.gateway))]
    Gate {
        /// Where it was asked.
        gateway: String,
        /// What it said.
        source: PartError,
    },
    /// Nobody would hold the clients of a database.
    #[error("no gateway leads clients to `{database}`")]
    NoGate {
        /// The route.
        database: String,
    },
    /// Two addresses are one gateway.
    #[error("two of the gateways are the same one, `{gate}`")]
    SameGate {
        /// How it names itself.
        gate: String,
    },
    /// A gateway reads another journal than this one.
    #[error("gateway `{gate}` reads another journal")]
    OtherJournal {
        /// How it names itself.
        gate: String,
    },
    /// The streams.
    #[error("{stage}")]
    Replication {
        /// What was to be done.
        stage: &'static str,
        /// What was met.
        source: PartError,
    },
    /// Somebody wrote past the fence.
    #[error("{transactions} transactions of others were committed behind the fence")]
    Foreign {
        /// How many.
        transactions: u64,
    },
    /// Both sides differ.
    #[error("both sides differ: {}", .tables.join(", "))]
    Different {
        /// In these tables.
        tables: Vec<String>,
    },
    /// Tables would be left unproven.
    #[error("{} tables are not proven: {}", .tables.len(), .tables.join(", "))]
    Unproven {
        /// Which.
        tables: Vec<String>,
    },
    /// A gateway could not lift what this command fences.
    #[error("gateway `{gate}` logs in as `{role}` to lift the fence that `{fencing}` raises")]
    OtherRole {
        /// How it names itself.
        gate: String,
        /// The role of its estate file.
        role: String,
        /// The role of this command's.
        fencing: String,
    },
    /// It would take longer than clients may be held.
    #[error("{stage} was not done within the {} ms that are left of the longest pause", .left.as_millis())]
    OutOfTime {
        /// What was under way.
        stage: &'static str,
        /// What was left for it.
        left: Duration,
    },
    /// The epoch was opened under another number than was foreseen.
    #[error("epoch {opened} was opened where {foreseen} was foreseen")]
    OtherEpoch {
        /// As it is.
        opened: u64,
        /// As it was to be.
        foreseen: u64,
    },
    /// Somebody closed it, or a gate whose lease was over.
    #[error("the epoch was closed by `{by}`: {reason}")]
    Closed {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// The process that held the gates was gone; the epoch is closed, and clients are where they were.
    #[error("it was interrupted while clients were held; they are served by {from}")]
    Interrupted {
        /// Where they are, quoted.
        from: String,
    },
    /// What an earlier process has left is another migration's.
    #[error("a cutover of the migration `{migration}` of `{database}` has not ended")]
    OtherMigration {
        /// The route.
        database: String,
        /// Which one.
        migration: String,
    },
    /// What an earlier process has left is of several databases, and only they together can be brought to their end.
    #[error("a cutover of {} has not ended", names(.migrations))]
    OtherGroup {
        /// Which ones.
        migrations: Vec<String>,
        /// The command that brings it to its end.
        command: String,
    },
    /// What an earlier process has left leads clients by commands, and none are given: nobody else leads those clients, or lets
    /// them go on.
    #[error("a cutover of {} that leads clients by commands has not ended: {} not given", names(.migrations), are(.options))]
    NoCommands {
        /// Which ones.
        migrations: Vec<String>,
        /// The options that have to be given.
        options: Vec<&'static str>,
        /// The command that brings it to its end, without their texts.
        command: String,
    },
    /// Databases that no one decision could lead elsewhere.
    #[error("they cannot be led elsewhere together: {reason}")]
    NotTogether {
        /// Why.
        reason: String,
    },
    /// One of several databases.
    #[error("`{migration}`")]
    Of {
        /// Its migration.
        migration: String,
        /// What was met.
        source: Box<Error>,
    },
    /// Somebody ends the move, or changes its way back.
    #[error("clients cannot be led elsewhere now")]
    Occupied(#[source] PartError),
    /// The way back was removed since it was looked at.
    #[error("what clients would write to `{to}` is not brought back any more{}", .why.as_deref().map_or_else(String::new, |why| format!(": {why}")))]
    NoWayBack {
        /// Where clients were to be led.
        to: String,
        /// Why not, where that is known.
        why: Option<String>,
    },
    /// A later epoch has led clients elsewhere.
    #[error("epoch {epoch} was decided as it was meant, and clients were led to `{leads_to}` since")]
    LedElsewhere {
        /// The epoch of this cutover.
        epoch: u64,
        /// Where they are.
        leads_to: String,
    },
    /// Checks forbid it.
    #[error("it is forbidden by: {}", .ids.join(", "))]
    Forbidden {
        /// Which.
        ids: Vec<String>,
        /// What was seen, of each database.
        reports: Vec<PreflightReport>,
    },
    /// The journal does not say what was decided: gates stay shut until it does.
    #[error("the journal does not answer, so that nobody knows whether clients are led away")]
    Undecided(#[source] atalaya_route::Error),
    /// The epoch is closed, and clients are kept out still.
    #[error("the epoch is decided, and the fence in `{place}` is not lifted")]
    Unlifted {
        /// Where it stands.
        place: String,
        /// Why.
        source: FenceError,
    },
    /// A course is of a server that this program was not given.
    #[error("`{place}` is neither of the two databases")]
    NoPlace {
        /// Its name.
        place: String,
    },
    /// The saga waits for a person.
    #[error("step `{step}` is stuck: {reason}")]
    Stuck {
        /// Which step.
        step: String,
        /// Why.
        reason: String,
    },
    /// It was not done.
    #[error("{reason}")]
    NotDone {
        /// Why not.
        reason: String,
    },
}

/// Who was asked, for people.
fn at(gateway: &str) -> String {
    if gateway == COMMANDS { "clients are led by commands".to_owned() } else { format!("gateway `{gateway}`") }
}

/// Names of migrations, for people.
fn names(migrations: &[String]) -> String {
    migrations.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
}

fn are(options: &[&str]) -> String {
    format!("{} {}", options.join(" and "), if options.len() == 1 { "is" } else { "are" })
}

impl Error {
    /// The same, said of one of several databases.
    pub(crate) fn of(self, course: &Course, courses: &Courses) -> Self {
        match courses.is_single() {
            true => self,
            false => Self::Of { migration: course.migration.clone(), source: Box::new(self) },
        }
    }

    /// What was met, whichever database it was of.
    #[must_use]
    pub fn met(&self) -> &Self {
        match self {
            Self::Of { source, .. } => source.met(),
            met => met,
        }
    }
}
