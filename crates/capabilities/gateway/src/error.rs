//! What can go wrong, and what clients are told of it.

use std::io;
use std::sync::Arc;

use atalaya_estate::ListenAddress;
use atalaya_pgwire::CodecError;
use atalaya_pgwire::server::{Refusal, Severity};
use atalaya_postgres::wire::{LoginFailure, WireError};

/// Why the gateway does not serve. No text holds a credential or a client's statement.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Nothing can be heard there.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// As written in the estate.
        address: ListenAddress,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A thread or its event loop cannot be started.
    #[error("a worker cannot be started")]
    Worker(#[source] io::Error),
    /// The administration's socket cannot be made.
    #[error("cannot listen on `{path}` for administration")]
    Admin {
        /// The socket's file.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Why a connection to a server is of no further use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerFailure {
    /// It refused a statement of ours; its own words, which only the client may see.
    #[error("the server refused a statement of the gateway")]
    Refused(Vec<u8>),
    #[error("the server ended the session")]
    Ended,
    #[error("no session with the server")]
    NoSession(#[from] WireError),
    #[error("the server answered out of step")]
    OutOfStep,
    #[error("the server broke the protocol")]
    Protocol(#[from] CodecError),
    #[error("the connection to the server failed")]
    Io(#[from] io::Error),
}

/// Why a client gets no server. It is told in the words of [`ServerAbsence::refusal`].
#[derive(Clone, Debug)]
pub(crate) enum ServerAbsence {
    /// All are in use, for longer than a client waits.
    Busy { seconds: u64 },
    /// The gate was closed for longer than a client waits.
    Paused { seconds: u64 },
    /// None has let the gateway in for as long as a client waits, nor has one refused it.
    Silent { seconds: u64 },
    /// None can be reached.
    Unreachable(Arc<WireError>),
}

impl ServerAbsence {
    /// SQLSTATEs that drivers take for what they are: 53300 and 57P03 are tried again, 28P01 and 3D000 are not.
    pub(crate) fn refusal(&self, severity: Severity) -> Refusal {
        let (sqlstate, message, hint) = match self {
            Self::Busy { seconds } => (
                "53300",
                format!("no server was free within {seconds} s"),
                Some("raise `servers_max` or `wait_seconds` of this database in the gateway's estate"),
            ),
            Self::Paused { seconds } => {
                ("57P03", format!("the database is paused, and was so for {seconds} s"), Some("try again later"))
            }
            Self::Silent { seconds } => {
                ("08006", format!("no connection to the server came about within {seconds} s"), Some("try again later"))
            }
            Self::Unreachable(error) => {
                let (sqlstate, message, hint) = words_for(error);
                (sqlstate, message.to_owned(), hint)
            }
        };
        Refusal { severity, sqlstate, message, detail: None, hint: hint.map(str::to_owned), routine: None }
    }

    /// Whether trying again cannot help.
    pub(crate) fn is_final(error: &WireError) -> bool {
        matches!(words_for(error).0, "28000" | "3D000")
    }
}

/// SQLSTATE, message and hint for a connection that did not come about.
fn words_for(error: &WireError) -> (&'static str, &'static str, Option<&'static str>) {
    match error {
        WireError::Login { reason: LoginFailure::Database, .. } => {
            ("3D000", "the server does not have this database", None)
        }
        WireError::Login { reason: LoginFailure::Password | LoginFailure::NotAllowed, .. }
        | WireError::NoPassword { .. } => (
            "28000",
            "the server does not let the gateway in for this user",
            Some("the server secret of this user and database in the gateway's estate has to be the server's"),
        ),
        WireError::CleartextPassword { .. } => (
            "28000",
            "the server wants the gateway's secret in clear text over an unencrypted connection",
            Some("use `sslmode=verify-full` in the estate's URL, or scram-sha-256 in the server's `pg_hba.conf`"),
        ),
        WireError::UnsupportedAuthentication { .. } => (
            "28000",
            "the server wants a proof of identity that the gateway does not have",
            Some("allow scram-sha-256 for the gateway in the server's `pg_hba.conf`"),
        ),
        WireError::UnprovenServer { .. } => (
            "28000",
            "the server did not prove that it knows the gateway's secret",
            Some("the other end may not be the server; use `sslmode=verify-full` in the estate's URL"),
        ),
        WireError::Login { source, .. } if source.sqlstate.starts_with("53") => {
            ("53300", "the server takes no more connections", None)
        }
        _ => ("08006", "the server cannot be reached", Some("try again later")),
    }
}

/// A refusal without detail or hint.
pub(crate) fn refusal(severity: Severity, sqlstate: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { severity, sqlstate, message: message.into(), detail: None, hint: None, routine: None }
}

/// An error in the words of the server that would have said it. Some drivers know it by the function that says it: pgjdbc
/// prepares a statement anew only when `RevalidateCachedQuery` says that its result type is another.
pub(crate) fn as_the_server(routine: &'static str, sqlstate: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { routine: Some(routine), ..refusal(Severity::Error, sqlstate, message) }
}
