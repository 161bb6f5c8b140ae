//! The section `gateway` of an estate file, after every check passed.

use std::collections::BTreeMap;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use super::{ListenAddress, ServerLogin, Verifier};

/// The front door of the estate's databases: where it listens, who may enter, and what is behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Where clients connect; at least one address, none twice.
    pub listen: Vec<ListenAddress>,
    /// Threads, from 1 to 64; `None` leaves the choice to the program.
    pub workers: Option<NonZeroU16>,
    /// How many clients may be connected at a time.
    pub clients_max: NonZeroU32,
    /// TLS towards clients; `None` serves plain connections only.
    pub tls: Option<GatewayTls>,
    /// Administration from other machines; `None` leaves the local socket alone.
    pub admin: Option<GatewayAdmin>,
    /// Where Prometheus reads; always a TCP address.
    pub metrics: Option<ListenAddress>,
    /// Who may log in, by the name that a client gives.
    pub users: BTreeMap<String, GatewayUser>,
    /// What can be connected to, by the name that a client gives.
    pub databases: BTreeMap<String, GatewayDatabase>,
}

/// The gateway's own certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayTls {
    /// A PEM file with the certificate, and those that lead to its authority.
    pub certificate: PathBuf,
    /// A PEM file with the private key.
    pub key: PathBuf,
    /// Whether a client without TLS is refused.
    pub required: bool,
}

/// Administration over the network, always by mutual TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayAdmin {
    /// Where it listens; always a TCP address.
    pub listen: ListenAddress,
    /// A PEM file with the gateway's certificate.
    pub certificate: PathBuf,
    /// A PEM file with the private key.
    pub key: PathBuf,
    /// A PEM file with the authority that an administrator's certificate has to come from.
    pub authority: PathBuf,
}

/// Somebody who may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayUser {
    /// What a client proves its password against.
    pub verifier: Verifier,
    /// How the gateway logs in for this user, by the gateway's name of the database; without an entry the
    /// database is closed to the user.
    pub secrets: BTreeMap<String, ServerLogin>,
}

/// A database as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayDatabase {
    /// The key in `databases` of the estate; always one of [`crate::Engine::Postgres`].
    pub to: String,
    /// When a connection to the server goes back to the others.
    pub pooling: Pooling,
    /// Connections to the server, for each user.
    pub servers_max: NonZeroU16,
    /// How long a client waits for a connection to the server before it is refused.
    pub wait_limit: Duration,
    /// How long a connection to the server may be idle.
    pub server_idle_limit: Duration,
    /// How old a connection to the server may become.
    pub server_lifetime: Duration,
    /// When the server is asked what a client left behind in its session.
    pub session_check: SessionCheck,
    /// Named prepared statements that are kept at one connection to the server.
    pub prepared_max: NonZeroU32,
}

/// When a connection to the server goes back to the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// When its client leaves.
    Session,
    /// After each transaction.
    #[default]
    Transaction,
}

/// When the server is asked what a client left behind in its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionCheck {
    /// After statements that may change the session.
    #[default]
    Statements,
    /// After every transaction.
    Always,
}

impl Pooling {
    /// All of them, the default first.
    pub const ALL: [Self; 2] = [Self::Transaction, Self::Session];

    /// Its word in the estate file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::Session => "session",
        }
    }
}

impl SessionCheck {
    /// All of them, the default first.
    pub const ALL: [Self; 2] = [Self::Statements, Self::Always];

    /// Its word in the estate file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Statements => "statements",
            Self::Always => "always",
        }
    }
}
