//! Errors of this crate, and the one place that says which of them are worth another try.

use std::time::Duration;

use atalaya_pgwire::ServerError;

use crate::wire::WireError;

/// What went wrong between us and a Postgres server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection came about.
    #[error("cannot connect to {place}")]
    Connect {
        /// The URL without its password.
        place: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
        /// The next step.
        hint: &'static str,
    },
    /// The server refused the login.
    #[error("{place} refused the connection")]
    Refused {
        /// The URL without its password.
        place: String,
        /// The server's answer.
        #[source]
        source: Box<ServerError>,
    },
    /// A connection did not come about, or a statement did not end, in time.
    #[error("{what} took longer than {} s", .limit.as_secs())]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// The server answered with an error.
    #[error("{action} failed")]
    Server {
        /// What was being done.
        action: String,
        /// The server's answer.
        #[source]
        source: Box<ServerError>,
    },
    /// The connection broke.
    #[error("the connection was lost while {action}")]
    Lost {
        /// What was being done.
        action: String,
        /// The driver's error.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The driver cannot make sense of an answer, or of what was to be sent; the connection lives on.
    #[error("what was sent or answered cannot be read while {action}")]
    Unreadable {
        /// What was being done.
        action: String,
        /// The driver's error.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A copy or replication connection.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A new slot waited too long for transactions that are open.
    #[error("no replication slot came about within {} s: its server waits for open transactions: {seen}", .limit.as_secs())]
    OpenTransactions {
        /// How long it waited.
        limit: Duration,
        /// The backends, without what they run.
        seen: String,
    },
    /// A standby does not come to where its primary is.
    #[error("the standby is still {bytes} bytes behind what the source had written {} s ago{}", .limit.as_secs(),
            if *.paused { ": its replay is paused" } else { "" })]
    StandbyBehind {
        /// How long was waited.
        limit: Duration,
        /// How far it is behind.
        bytes: u64,
        /// Whether somebody paused its replay.
        paused: bool,
    },
    /// The role cannot see what other sessions do.
    #[error("the role `{role}` cannot see what other sessions do, so nobody knows how busy the server is")]
    ActivityHidden {
        /// The role that logged in.
        role: String,
    },
    /// TLS cannot be set up as the URL asks.
    #[error(transparent)]
    Tls(#[from] crate::tls::TlsError),
    /// The server's answer has another shape than it must have.
    #[error("the server's answer has an unexpected shape while {action}")]
    Shape {
        /// What was being done.
        action: String,
    },
}

/// Whether another try can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same statement in a new transaction: a deadlock, a serialization failure, a lock not had in time.
    Transaction,
    /// A new connection: the server restarted or the network broke.
    Reconnect,
    /// No.
    Never,
}

impl Error {
    /// Puts a driver's error and what was being done together.
    pub(crate) fn from_driver(action: &str, error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(report) => Self::Server { action: action.to_owned(), source: Box::new(kept_of(report)) },
            None if is_end(&error) => Self::Lost { action: action.to_owned(), source: error },
            None => Self::Unreadable { action: action.to_owned(), source: error },
        }
    }

    /// The server's SQLSTATE, where the server answered.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Server { source, .. } | Self::Refused { source, .. } => Some(&source.sqlstate),
            Self::Wire(error) => error.sqlstate(),
            _ => None,
        }
    }

    /// Schema and name of the constraint or index that the server names.
    #[must_use]
    pub fn constraint(&self) -> Option<(&str, &str)> {
        match self {
            Self::Server { source, .. } => source.schema.as_deref().zip(source.constraint.as_deref()),
            _ => None,
        }
    }

    /// Schema and name of the table that the server names.
    #[must_use]
    pub fn relation(&self) -> Option<(&str, &str)> {
        match self {
            Self::Server { source, .. } => source.schema.as_deref().zip(source.table.as_deref()),
            _ => None,
        }
    }

    /// Whether another try can help, and of what.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Connect { .. } | Self::Lost { .. } | Self::Timeout { .. } => Retry::Reconnect,
            Self::Wire(error) => retry_of_wire(error),
            Self::Tls(_)
            | Self::Shape { .. }
            | Self::Unreadable { .. }
            | Self::OpenTransactions { .. }
            | Self::StandbyBehind { .. }
            | Self::ActivityHidden { .. } => Retry::Never,
            Self::Server { source, .. } | Self::Refused { source, .. } => retry_of(&source.sqlstate),
        }
    }

    /// The next step for whoever reads the error.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Connect { hint, .. } => Some((*hint).to_owned()),
            Self::Refused { source, .. } => Some(refused_hint(source)),
            Self::Server { source, .. } => source.hint.clone().or_else(|| server_hint(&source.sqlstate)),
            Self::Lost { .. } => {
                Some("look at the server's log; the same command resumes where this one stopped".into())
            }
            Self::Timeout { .. } => Some(
                "look for what holds it up in pg_stat_activity and pg_locks; if no connection came about, check host, \
                 port and firewall, or allow more time with `connect_timeout=SECONDS` in the URL"
                    .into(),
            ),
            Self::Wire(error) => error.hint().or_else(|| error.sqlstate().and_then(server_hint)),
            Self::OpenTransactions { .. } => Some(
                "end or wait for those transactions, prepared ones too, or give more time with --slot-timeout".into(),
            ),
            Self::StandbyBehind { .. } => Some(
                "look at pg_stat_wal_receiver and at the log of the standby, `SELECT pg_wal_replay_resume()` where it is \
                 paused, or give more time with --slot-timeout"
                    .into(),
            ),
            Self::ActivityHidden { role } => {
                Some(format!("GRANT pg_monitor TO {};", atalaya_data::quote_identifier(role)))
            }
            Self::Tls(error) => error.hint(),
            Self::Shape { .. } | Self::Unreadable { .. } => None,
        }
    }
}

/// Whether the connection ended: closed, or a read or write that failed. The driver reports bytes that are no
/// protocol, and values that cannot be converted, as errors without a report too; another connection helps neither.
fn is_end(error: &tokio_postgres::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput};
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    let is_tls = |cause: &std::io::Error| cause.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
    error.is_closed() || cause.is_some_and(|cause| !matches!(cause.kind(), InvalidData | InvalidInput) || is_tls(cause))
}

/// What of the driver's report is safe to show: never DETAIL and CONTEXT, which hold row values.
pub(crate) fn kept_of(report: &tokio_postgres::error::DbError) -> ServerError {
    ServerError {
        severity: report.severity().to_owned(),
        sqlstate: report.code().code().to_owned(),
        message: report.message().to_owned(),
        hint: report.hint().map(str::to_owned),
        schema: report.schema().map(str::to_owned),
        table: report.table().map(str::to_owned),
        column: report.column().map(str::to_owned),
        data_type: report.datatype().map(str::to_owned),
        constraint: report.constraint().map(str::to_owned),
    }
    .without_values()
}

/// What the server said decides; without its word, a connection that ended or never came about is worth
/// another one.
fn retry_of_wire(error: &WireError) -> Retry {
    match error {
        WireError::CopySource(inner) | WireError::CopyTarget(inner) => retry_of_wire(inner),
        WireError::Connect { .. }
        | WireError::ConnectTimeout { .. }
        | WireError::UnknownHost { .. }
        | WireError::Ended(_)
        | WireError::ReplicationEnded
        | WireError::Io { .. } => Retry::Reconnect,
        _ => error.sqlstate().map_or(Retry::Never, retry_of),
    }
}

/// The policy of each SQLSTATE; PostgreSQL documentation, appendix A.
fn retry_of(sqlstate: &str) -> Retry {
    match sqlstate {
        "40001" | "40P01" | "55P03" | "57014" => Retry::Transaction,
        "57P01" | "57P02" | "57P03" | "53300" => Retry::Reconnect,
        _ if sqlstate.starts_with("08") => Retry::Reconnect,
        _ => Retry::Never,
    }
}

fn refused_hint(error: &ServerError) -> String {
    match error.sqlstate.as_str() {
        "28P01" => "check the password, or where it comes from: `env:NAME`, a passfile or `${VAR}`".into(),
        "28000" => "the server's pg_hba.conf has no line for this host, role, database and encryption".into(),
        "3D000" => "check the database's name at the end of the URL".into(),
        "53300" => "all connection slots are taken; free some or raise max_connections".into(),
        "57P03" => {
            "the server is starting up, recovering or going down; if it does not come back, its log tells why: a full \
             disk, for one"
                .into()
        }
        _ => "look at the server's log".into(),
    }
}

fn server_hint(sqlstate: &str) -> Option<String> {
    let hint = match sqlstate {
        "40001" | "40P01" => {
            "another session works on the same rows or tables; see pg_stat_activity there, then run the same command again"
        }
        "57014" => {
            "a timeout or somebody cancelled the statement; see the server's log, then run the same command again"
        }
        "22021" => {
            "a database of unknown encoding (SQL_ASCII) holds bytes that are not UTF8: convert those rows there, then run \
             the same command again"
        }
        "42501" => "grant the role the missing privilege, or run `atalaya assess` to see all that is missing",
        "53100" | "58030" => "free disk space on that server, then run the same command again",
        "53200" => "the server is out of memory; lower its work_mem or the number of workers",
        "53400" => "raise max_replication_slots or max_wal_senders, or drop slots that nobody uses",
        "55P03" => "another session holds the lock; see pg_locks",
        _ => return None,
    };
    Some(hint.to_owned())
}
