//! Every key of the section `gateway`: one definition from which the reader takes names, limits and defaults,
//! and the reference page its tables.

use crate::file::values::WORKERS_MAX;
use crate::{Pooling, SessionCheck};

/// One key.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    pub(crate) at_reload: AtReload,
    pub(crate) meaning: &'static str,
}

/// What may stand behind a key.
pub(crate) enum Form {
    /// Something that has to be there.
    Required(&'static str),
    /// Something that may be left out, and what counts then.
    Optional(&'static str, &'static str),
    /// A whole number from 1.
    Number(Number),
    /// One of these; the first is the default.
    Words([&'static str; 2]),
}

/// The limit of a number, and what counts without one.
#[derive(Clone, Copy)]
pub(crate) struct Number {
    pub(crate) most: u32,
    /// `None` leaves it to the program.
    pub(crate) default: Option<u32>,
}

/// Whether a reload is enough for a change.
#[derive(Clone, Copy)]
pub(crate) enum AtReload {
    Applied,
    /// Sockets and threads are made once.
    NeedsRestart,
}

const fn number(most: u32, default: u32) -> Number {
    Number { most, default: Some(default) }
}

pub(crate) const LISTEN: &str = "127.0.0.1:6432";
pub(crate) const WORKERS: Number = Number { most: WORKERS_MAX, default: None };
pub(crate) const CLIENTS_MAX: Number = number(1_000_000, 10_000);
pub(crate) const SERVERS_MAX: Number = number(10_000, 20);
pub(crate) const WAIT_SECONDS: Number = number(3_600, 30);
pub(crate) const SERVER_IDLE_SECONDS: Number = number(86_400, 600);
pub(crate) const SERVER_LIFETIME_SECONDS: Number = number(604_800, 3_600);
pub(crate) const PREPARED_MAX: Number = number(100_000, 500);

use AtReload::{Applied, NeedsRestart};

const fn key(name: &'static str, form: Form, at_reload: AtReload, meaning: &'static str) -> Key {
    Key { name, form, at_reload, meaning }
}

pub(crate) const GATEWAY: &[Key] = &[
    key(
        "listen",
        Form::Optional("an address, or a list of them", LISTEN),
        NeedsRestart,
        "Where clients connect: `host:port`, `\"[::1]:port\"`, or `/folder:port` for a Unix socket that is named \
         as Postgres names its own.",
    ),
    key("workers", Form::Number(WORKERS), NeedsRestart, "Threads."),
    key("clients_max", Form::Number(CLIENTS_MAX), Applied, "Clients connected at a time; the next one is refused."),
    key("tls", Form::Optional("a mapping", "no TLS"), Applied, "The gateway's certificate towards clients."),
    key(
        "admin",
        Form::Optional("a mapping", "the local socket only"),
        NeedsRestart,
        "Administration from other machines, by mutual TLS.",
    ),
    key(
        "metrics",
        Form::Optional("an address `host:port`", "none"),
        NeedsRestart,
        "Where Prometheus reads; it holds no statement and no value, and asks for no password.",
    ),
    key("users", Form::Required("a mapping by name"), Applied, "Who may log in."),
    key("databases", Form::Required("a mapping by name"), Applied, "What can be connected to."),
];

pub(crate) const TLS: &[Key] = &[
    key("certificate", Form::Required("a path"), Applied, "A PEM file with the certificate and its chain."),
    key("key", Form::Required("a path"), Applied, "A PEM file with the private key."),
    key("required", Form::Optional("`true` or `false`", "false"), Applied, "Whether a client without TLS is refused."),
];

pub(crate) const ADMIN: &[Key] = &[
    key("listen", Form::Required("an address `host:port`"), NeedsRestart, "Where administrators connect."),
    key("certificate", Form::Required("a path"), Applied, "A PEM file with the gateway's certificate and its chain."),
    key("key", Form::Required("a path"), Applied, "A PEM file with the private key."),
    key(
        "authority",
        Form::Required("a path"),
        Applied,
        "A PEM file with the authority that an administrator's certificate has to come from.",
    ),
];

pub(crate) const USER: &[Key] = &[
    key(
        "verifier",
        Form::Required("`SCRAM-SHA-256$...`"),
        Applied,
        "What a client's password is proven against, as in `pg_authid`; `atalaya gateway verifier` makes one. A \
         password is refused.",
    ),
    key(
        "secrets",
        Form::Required("a mapping by name"),
        Applied,
        "For each database of the gateway that is open to the user, the secret at its server: `env:NAME`, \
         `file:PATH`, or a mapping with another user's name. Read at the start and at each reload.",
    ),
];

pub(crate) const LOGIN: &[Key] = &[
    key("user", Form::Optional("text", "the client's user"), Applied, "The role at the server."),
    key(
        "secret",
        Form::Required("`env:NAME` or `file:PATH`"),
        Applied,
        "A variable, or a file that only its owner may use; one line end at the end of a file does not count.",
    ),
];

pub(crate) const DATABASE: &[Key] = &[
    key(
        "to",
        Form::Required("a key of `databases` of the estate"),
        Applied,
        "The server's database, of engine `postgres`.",
    ),
    key(
        "pooling",
        Form::Words([Pooling::ALL[0].word(), Pooling::ALL[1].word()]),
        Applied,
        "When a connection to the server goes back to the others: after each transaction, or when its client leaves.",
    ),
    key("servers_max", Form::Number(SERVERS_MAX), Applied, "Connections to the server, for each user."),
    key(
        "wait_seconds",
        Form::Number(WAIT_SECONDS),
        Applied,
        "How long a client waits for a connection to the server before it is refused.",
    ),
    key(
        "server_idle_seconds",
        Form::Number(SERVER_IDLE_SECONDS),
        Applied,
        "How long a connection to the server may be idle.",
    ),
    key(
        "server_lifetime_seconds",
        Form::Number(SERVER_LIFETIME_SECONDS),
        Applied,
        "How old a connection to the server may become; it is closed between two transactions.",
    ),
    key(
        "check",
        Form::Words([SessionCheck::ALL[0].word(), SessionCheck::ALL[1].word()]),
        Applied,
        "When the server is asked what a client left behind in its session: after statements that may change it, or \
         after every transaction.",
    ),
    key(
        "prepared_max",
        Form::Number(PREPARED_MAX),
        Applied,
        "Named prepared statements kept at one connection to the server; the longest unused goes first.",
    ),
];
