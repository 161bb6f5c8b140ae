//! What can go wrong on a wire connection, and what to do about it.

use std::io;
use std::time::Duration;

use atalaya_pgwire::{CodecError, ServerError};

use crate::tls::{Rejection, TlsError};

/// Why a server did not let a role in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginFailure {
    /// The password is wrong, or the role does not exist (SQLSTATE 28P01).
    Password,
    /// The database does not exist (3D000).
    Database,
    /// No entry of `pg_hba.conf` allows it, or the role may not log in or replicate (28000).
    NotAllowed,
    /// Anything else: too many connections, starting up, shutting down.
    Other,
}

/// A failure of a wire connection. No text holds a row's value or a credential.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The host's name has no address.
    #[error("the host `{host}` is unknown")]
    UnknownHost {
        /// The host as written.
        host: String,
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// Nothing listens there, or the network is not there.
    #[error("cannot connect to `{address}`")]
    Connect {
        /// Host and port, or the socket's path.
        address: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No session came about in time.
    #[error("no session with `{address}` within {} s", limit.as_secs_f32())]
    ConnectTimeout {
        /// Host and port, or the socket's path.
        address: String,
        /// The URL's `connect_timeout`.
        limit: Duration,
    },
    /// TLS could not be configured.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server does not speak TLS.
    #[error("the server `{address}` refuses TLS")]
    TlsRefused {
        /// Host and port.
        address: String,
    },
    /// The certificate was not issued by a trusted authority.
    #[error("the certificate of `{address}` is not from a trusted authority")]
    UntrustedAuthority {
        /// Host and port.
        address: String,
        /// What the check said.
        #[source]
        source: io::Error,
    },
    /// The certificate belongs to another name.
    #[error("the certificate of `{address}` is for another name than `{host}`")]
    WrongCertificateName {
        /// Host and port.
        address: String,
        /// The host as written in the URL.
        host: String,
        /// What the check said.
        #[source]
        source: io::Error,
    },
    /// TLS failed for another reason.
    #[error("the TLS handshake with `{address}` failed")]
    TlsHandshake {
        /// Host and port.
        address: String,
        /// What the TLS library said.
        #[source]
        source: io::Error,
    },
    /// The server wants a password and none is known.
    #[error("the server wants a password for role `{user}`, and none is given")]
    NoPassword {
        /// The role.
        user: String,
    },
    /// The server wants the password unencrypted over an unencrypted connection.
    #[error("the server wants the password of role `{user}` in clear text over an unencrypted connection")]
    CleartextPassword {
        /// The role.
        user: String,
    },
    /// The server wants a method that is not supported.
    #[error("the server wants an authentication method that is not supported ({method})")]
    UnsupportedAuthentication {
        /// The method, as the server names or numbers it.
        method: String,
    },
    /// The server did not prove its part of the password exchange.
    #[error("the server did not prove that it knows the password of role `{user}`")]
    UnprovenServer {
        /// The role.
        user: String,
    },
    /// The server did not let the role in.
    #[error("role `{user}` cannot log in to database `{database}` at `{address}`")]
    Login {
        /// The kind of refusal.
        reason: LoginFailure,
        /// The role.
        user: String,
        /// The database.
        database: String,
        /// Host and port, or the socket's path.
        address: String,
        /// What the server said.
        #[source]
        source: Box<ServerError>,
    },
    /// The server refused a statement or ended the session.
    #[error("the server reported {}", severity_word(.0))]
    Server(#[source] Box<ServerError>),
    /// The stream ended where the protocol does not allow it.
    #[error("the connection ended in the middle of {0}")]
    Ended(&'static str),
    /// The server ended replication in good order, as it does when it shuts down.
    #[error("the server ended replication")]
    ReplicationEnded,
    /// Reading or writing failed.
    #[error("the connection failed in the middle of {during}")]
    Io {
        /// What was under way.
        during: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The server's bytes are not the protocol.
    #[error("the server does not follow the protocol in {during}")]
    Protocol {
        /// What was under way.
        during: &'static str,
        /// What is wrong.
        #[source]
        source: CodecError,
    },
    /// A message came that has no place there.
    #[error("the server sent an unexpected message in {during}")]
    Unexpected {
        /// What was under way.
        during: &'static str,
    },
    /// A statement is no text of the kind needed.
    #[error("the statement did not start {0}")]
    NotACopy(&'static str),
    /// An earlier operation was given up in its middle, so what comes next is not known.
    #[error("an earlier operation on this connection was not completed")]
    Abandoned,
    /// Both sides of a copy completed, but with different counts.
    #[error("the source sent {source_rows} rows, the target stored {target_rows}")]
    RowsDiffer {
        /// Rows the source counted.
        source_rows: u64,
        /// Rows the target counted.
        target_rows: u64,
    },
    /// The source's side of a copy failed.
    #[error("the copy failed on the source")]
    CopySource(#[source] Box<WireError>),
    /// The target's side of a copy failed.
    #[error("the copy failed on the target")]
    CopyTarget(#[source] Box<WireError>),
}

fn severity_word(error: &ServerError) -> &'static str {
    if error.severity == "ERROR" { "an error" } else { "the end of the session" }
}

impl WireError {
    /// The server's SQLSTATE, where the failure is one that a server reported.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        self.server_error().map(|error| error.sqlstate.as_str())
    }

    /// What the server said, without row values: see [`ServerError`].
    #[must_use]
    pub fn server_error(&self) -> Option<&ServerError> {
        match self {
            Self::Server(source) | Self::Login { source, .. } => Some(source),
            Self::CopySource(inner) | Self::CopyTarget(inner) => inner.server_error(),
            _ => None,
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Tls(error) => return error.hint(),
            Self::CopySource(inner) | Self::CopyTarget(inner) => return inner.hint(),
            Self::Server(error) => return error.hint.clone(),
            Self::UnknownHost { .. } => "check the host in the connection URL, and name resolution on this machine",
            Self::Connect { .. } => {
                "check that the server runs, that it listens on this address and port, and that no firewall refuses it; \
                 if it went down, its log tells why: a full disk, for one"
            }
            Self::ConnectTimeout { .. } => {
                "check host, port and firewall; `connect_timeout=SECONDS` in the connection URL allows more time"
            }
            Self::TlsRefused { .. } => {
                "set `ssl = on` on the server, or allow plain text with `sslmode=disable` in the connection URL"
            }
            Self::UntrustedAuthority { .. } => Rejection::Authority.hint(),
            Self::WrongCertificateName { .. } => Rejection::Name.hint(),
            Self::TlsHandshake { .. } => Rejection::Other.hint(),
            Self::NoPassword { .. } => "give it by `env:NAME`, `passfile=` or `${VAR}` in the estate file",
            Self::CleartextPassword { .. } => {
                "use `sslmode=verify-full`, or set the server's `pg_hba.conf` to scram-sha-256"
            }
            Self::UnsupportedAuthentication { .. } => {
                "allow scram-sha-256 for this role and address in the server's `pg_hba.conf`"
            }
            Self::UnprovenServer { .. } => {
                "the other end may not be the server; check the address, and use `sslmode=verify-full`"
            }
            Self::Login { reason, .. } => login_hint(*reason),
            Self::Ended(_) | Self::ReplicationEnded | Self::Io { .. } => {
                "the server's log tells why; start the same command again once the server is up"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }

    pub(crate) fn server(error: ServerError) -> Self {
        Self::Server(Box::new(error))
    }
}

fn login_hint(reason: LoginFailure) -> &'static str {
    match reason {
        LoginFailure::Password => "check role and password; the server does not say which of them is wrong",
        LoginFailure::Database => "check the database's name in the connection URL",
        LoginFailure::NotAllowed => {
            "the server's `pg_hba.conf` has to allow this role, database, address and encryption; replication also \
             needs the role attribute REPLICATION (on RDS: `GRANT rds_replication`)"
        }
        LoginFailure::Other => "the server's log tells why",
    }
}
