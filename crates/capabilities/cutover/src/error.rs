//! Why clients could not be led away.

use std::time::Duration;

use crate::fence::FenceError;
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
    #[error("gateway `{gateway}`")]
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
    /// Checks forbid it.
    #[error("it is forbidden by: {}", .ids.join(", "))]
    Forbidden {
        /// Which.
        ids: Vec<String>,
    },
    /// The journal does not say what was decided: gates stay shut until it does.
    #[error("the journal does not answer, so that nobody knows whether clients are led away")]
    Undecided(#[source] atalaya_route::Error),
    /// The epoch is closed, and clients are kept out still.
    #[error("the epoch is closed, and the fence in `{place}` is not lifted")]
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

/// Names of migrations, for people.
fn names(migrations: &[String]) -> String {
    migrations.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
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

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Of { source, .. } => source.hint(),
            Self::OtherGroup { command, .. } => Some(format!("`{command}` brings it to its end")),
            Self::Postgres(error) => error.hint(),
            Self::Fence(error) => error.hint(),
            Self::Route(error) | Self::Undecided(error) => error.hint(),
            Self::Journal(error) => error.hint(),
            Self::Gate { source, .. } | Self::Replication { source, .. } => source.hint.clone(),
            Self::OtherJournal { .. } => {
                Some("start it with the same --journal, or the same --state where that is a folder".to_owned())
            }
            Self::NoGate { .. } => Some("name every gateway with --gateway".to_owned()),
            Self::SameGate { .. } => Some("name each gateway once".to_owned()),
            Self::Foreign { .. } => {
                Some("a superuser writes past the gateways, or a session of the fencing role does; end it".to_owned())
            }
            Self::Different { .. } => Some("`atalaya validate` shows the rows; `--repair` mends them".to_owned()),
            Self::Unproven { .. } => Some(
                "`atalaya validate` proves them while clients work; `--dry-run` names those that it cannot, with the \
                 remedy; --allow-unproven leads clients away all the same"
                    .to_owned(),
            ),
            Self::OtherRole { .. } => {
                Some("the URL of the database has to name the same role in every estate file".to_owned())
            }
            Self::OutOfTime { .. } => {
                Some("try again at a quieter time, or give it longer with --max-pause; nothing was cut".to_owned())
            }
            Self::OtherMigration { migration, .. } => Some(format!(
                "`atalaya migrate cutover {migration}` or `rollback`, as it was begun, brings it to its end"
            )),
            Self::Forbidden { .. } => Some("`--dry-run` shows every check with its remedy".to_owned()),
            Self::Interrupted { .. } | Self::Closed { .. } | Self::OtherEpoch { .. } => {
                Some("run the command again".to_owned())
            }
            Self::Stuck { .. } => Some("`atalaya journal sagas` shows it, and what can be decided".to_owned()),
            Self::Unlifted { .. } => Some(
                "the same command goes on; or run, as the role that fenced it, the text in the column `lift` of \
                 `atalaya.fence`"
                    .to_owned(),
            ),
            Self::Saga(_) | Self::NotDone { .. } | Self::NoPlace { .. } | Self::NotTogether { .. } => None,
        }
    }

    /// Whether something is left to be done that the same command does.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        matches!(self.met(), Self::Undecided(_) | Self::Unlifted { .. })
    }

    /// Whether it was not begun since it would not be safe.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self.met() {
            Self::Forbidden { .. }
            | Self::OtherMigration { .. }
            | Self::OtherGroup { .. }
            | Self::NoGate { .. }
            | Self::SameGate { .. }
            | Self::OtherJournal { .. }
            | Self::OtherRole { .. }
            | Self::Different { .. }
            | Self::Unproven { .. }
            | Self::Foreign { .. } => true,
            Self::Route(error) => error.is_refusal(),
            _ => false,
        }
    }
}
