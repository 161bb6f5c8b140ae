//! Errors of a move, which of them another try can mend, and the operator's next step.

use atalaya_data::{Lsn, RelationName};
use atalaya_postgres::Retry;
use atalaya_postgres::wire::WireError;

/// Why a move stopped or was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A server or a connection to one.
    #[error(transparent)]
    Postgres(#[from] atalaya_postgres::Error),
    /// One table's copy.
    #[error("table {relation} could not be copied")]
    Copy {
        /// The source's table.
        relation: RelationName,
        /// Which side failed, and why.
        #[source]
        source: Box<atalaya_postgres::Error>,
    },
    /// The standby that rows are read from has ended a copy that was in the way of what it replays.
    #[error("table {relation} could not be copied: the standby has ended its session")]
    RecoveryConflict {
        /// The source's table.
        relation: RelationName,
        /// What the standby said.
        #[source]
        source: Box<atalaya_postgres::Error>,
    },
    /// What only the target knows is needed, and it cannot be asked.
    #[error("the target cannot be reached")]
    TargetUnreached(#[source] Box<atalaya_postgres::Error>),
    /// The stream's bytes could not be read.
    #[error("the replication stream cannot be read")]
    Decode(#[from] atalaya_pgwire::CodecError),
    /// Not done because it would not be safe.
    #[error("refused ({code}): {seen}")]
    Refused {
        /// A stable code.
        code: &'static str,
        /// What was seen.
        seen: String,
        /// What to do.
        hint: String,
    },
    /// A row that the target does not take: its version or its types know no such value.
    #[error("a row of table {relation} has a value that is not taken there")]
    Untaken {
        /// The target's table.
        relation: RelationName,
        /// What the target said.
        #[source]
        source: Box<atalaya_postgres::Error>,
    },
    /// A change does not find on the target what it found on the source.
    #[error("conflict `{kind}` in table {relation}, transaction at {commit_lsn}")]
    Conflict {
        /// The kind.
        kind: &'static str,
        /// The target's table.
        relation: RelationName,
        /// The source's transaction.
        commit_lsn: Lsn,
    },
    /// The source's table is no longer what the target's is.
    #[error("table {relation} has changed on the source: {change}")]
    SchemaChange {
        /// Which table.
        relation: RelationName,
        /// What is different.
        change: String,
    },
    /// A materialized view could not be filled.
    #[error("a materialized view cannot be filled on the target: schema, name and owner are `{view}`")]
    Unfilled {
        /// Which, as the dump lists it.
        view: String,
        /// Why.
        #[source]
        source: atalaya_postgres::Error,
    },
    /// A program that was started failed.
    #[error("{program} failed: {reason}")]
    Program {
        /// `pg_dump`, `pg_restore` or the snapshot's holder.
        program: &'static str,
        /// Its own words, or what the system says.
        reason: String,
        /// The next step.
        hint: &'static str,
    },
    /// A file of ours.
    #[error("cannot {action} `{path}`")]
    File {
        /// `read`, `write`, `create`.
        action: &'static str,
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The copy's snapshot ended before a worker had taken it.
    #[error("the snapshot's holder ended while the copy began")]
    SnapshotLost,
    /// A server says nothing, on a connection that seems to be open.
    #[error("the {side} has given no answer for {} s", .limit.as_secs())]
    Silent {
        /// `source`, `target` or `standby`.
        side: &'static str,
        /// How long.
        limit: std::time::Duration,
    },
    /// The run cannot go on from where it is, but from what the target has stored.
    #[error("{0}")]
    Interrupted(&'static str),
    /// A stop that was asked for is reached; never leaves this crate.
    #[error("the run was asked to stop")]
    StopReached,
    /// Tables are to be copied before following goes on; never leaves this crate.
    #[error("tables are to be copied first")]
    TablesPending,
    /// What must hold within one run does not.
    #[error("{0}")]
    Broken(&'static str),
}

impl From<WireError> for Error {
    fn from(error: WireError) -> Self {
        Self::Postgres(error.into())
    }
}

impl Error {
    /// A refusal.
    pub(crate) fn refused(code: &'static str, seen: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { code, seen: seen.into(), hint: hint.into() }
    }

    /// Whether the run may try again by itself, from what the target has stored.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Postgres(error) => error.retry() != Retry::Never,
            Self::Copy { source, .. } => source.retry() != Retry::Never,
            Self::SnapshotLost | Self::RecoveryConflict { .. } | Self::Interrupted(_) | Self::Silent { .. } => true,
            _ => false,
        }
    }

    /// The same, said of a table where a server says only that a value is not valid.
    pub(crate) fn of_row(self, relation: &RelationName) -> Self {
        match self {
            Self::Postgres(error) if error.sqlstate().is_some_and(|state| state.starts_with("22")) => {
                Self::Untaken { relation: relation.clone(), source: Box::new(error) }
            }
            error => error,
        }
    }

    /// Whether a value could not be read by its type, as an enum's that the target does not know.
    pub(crate) fn is_unknown_label(&self) -> bool {
        match self {
            Self::Postgres(error) => error.sqlstate() == Some("22P02"),
            Self::Untaken { source, .. } => source.sqlstate() == Some("22P02"),
            _ => false,
        }
    }

    /// Whether a row is outside of what its partition, or another condition, allows.
    pub(crate) fn is_outside(&self) -> bool {
        matches!(self, Self::Postgres(error) if error.sqlstate() == Some("23514"))
    }

    /// Whether another session has the migration's lock.
    pub(crate) fn is_lock(&self) -> bool {
        matches!(self, Self::Refused { code: "already-running", .. })
    }

    /// Whether a host's name has no address.
    pub(crate) fn is_unknown_host(&self) -> bool {
        matches!(self, Self::Postgres(atalaya_postgres::Error::Wire(WireError::UnknownHost { .. })))
    }

    /// Whether a difference between the sides ended the run.
    #[must_use]
    pub fn is_difference(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    /// Whether it is a refusal rather than a failure.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::SchemaChange { .. })
    }

    /// The next step.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Postgres(error) => error.hint(),
            Self::Copy { source, .. } => source.hint(),
            Self::RecoveryConflict { .. } => Some(
                "the standby replays a vacuum or a lock of the source that the copy is in the way of: set \
                 hot_standby_feedback = on there, or raise its max_standby_streaming_delay, then start again"
                    .to_owned(),
            ),
            Self::TargetUnreached(_) => Some(
                "try again when it is back; if it is gone for good, `--target-gone` removes what the source has under \
                 this name"
                    .to_owned(),
            ),
            Self::Refused { hint, .. } => Some(hint.clone()),
            Self::Untaken { source, .. } => Some(source.hint().unwrap_or_else(|| {
                "nothing of this transaction was applied; newer versions have values that older ones have not, as `infinity` \
                 of numeric from 14 on and of interval from 17 on"
                    .to_owned()
            })),
            Self::Conflict { .. } => Some(
                "something besides the move writes to the target's table: end that, make the row by hand what it was on \
                 the source before this transaction (`atalaya migrate conflicts` names table and transaction, `atalaya \
                 validate --quiesced` the rows that differ by now), and start again; or let a policy decide which row \
                 wins with `--conflicts`"
                    .to_owned(),
            ),
            Self::SchemaChange { .. } => Some(
                "nothing of this transaction was applied; make the target's table what the source's is by now, then start again"
                    .to_owned(),
            ),
            Self::Unfilled { source, .. } if source.sqlstate() == Some("55P03") => Some(
                "somebody reads it on the target for longer than it is waited for: let that end, then run the same command again"
                    .to_owned(),
            ),
            Self::Unfilled { .. } => Some(
                "it is filled with an empty search_path: give the functions it calls their own on the target with \
                 `ALTER FUNCTION ... SET search_path`, then run the same command again"
                    .to_owned(),
            ),
            Self::Program { hint, .. } => Some((*hint).to_owned()),
            Self::SnapshotLost => Some(
                "start again: what is not finished is copied from a new snapshot; look on the source for what ends \
                 sessions that are idle in a transaction"
                    .to_owned(),
            ),
            Self::Silent { .. } => Some(
                "see whether the server and the network to it are well; `--silence-timeout` allows more time"
                    .to_owned(),
            ),
            Self::Interrupted(_) => {
                Some("look at the logs of both servers; the same command resumes where this one stopped".to_owned())
            }
            Self::File { .. } => Some("check the folder's permissions and that its disk has room".to_owned()),
            Self::Decode(_) | Self::Broken(_) | Self::StopReached | Self::TablesPending => {
                Some("run the same command again; if it ends the same way, this is a bug worth reporting".to_owned())
            }
        }
    }
}
