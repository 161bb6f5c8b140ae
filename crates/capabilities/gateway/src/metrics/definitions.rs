//! Every metric, once: the endpoint and the reference page are made of this list.
//!
//! Labels are names that the estate gives, so that their number is bounded by the estate; nothing that a client says
//! becomes one.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::database::Database;
use crate::gateway::Gateway;
use crate::pool::{PoolCounts, PoolLimits};
use crate::statistics::Histogram;

/// What all names begin with.
pub(super) const PREFIX: &str = "atalaya_gateway_";

/// A metric.
pub(super) struct Metric {
    /// Its name behind [`PREFIX`].
    pub(super) name: &'static str,
    /// One sentence without its full stop.
    pub(super) meaning: &'static str,
    pub(super) source: Source,
}

/// Whose number it is, and where it is read.
pub(super) enum Source {
    Gateway(fn(&Gateway) -> Value),
    Database(Kind, fn(&Database) -> Value),
    Durations(fn(&Database) -> &Histogram),
    /// One database and one user.
    Pool(fn(&PoolCounts, &PoolLimits) -> usize),
}

/// Whether a number may go down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    Count(u64),
    Time(Duration),
}

impl Source {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Gateway(_) | Self::Pool(_) => Kind::Gauge,
            Self::Database(kind, _) => *kind,
            Self::Durations(_) => Kind::Histogram,
        }
    }

    pub(super) fn labels(&self) -> &'static [&'static str] {
        match self {
            Self::Gateway(_) => &[],
            Self::Database(..) | Self::Durations(_) => &["database"],
            Self::Pool(_) => &["database", "user"],
        }
    }
}

impl Kind {
    /// Its word in the text format.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Value {
    fn of(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

const fn gateway(name: &'static str, meaning: &'static str, read: fn(&Gateway) -> Value) -> Metric {
    Metric { name, meaning, source: Source::Gateway(read) }
}

const fn gauge(name: &'static str, meaning: &'static str, read: fn(&Database) -> Value) -> Metric {
    Metric { name, meaning, source: Source::Database(Kind::Gauge, read) }
}

const fn counter(name: &'static str, meaning: &'static str, read: fn(&Database) -> Value) -> Metric {
    Metric { name, meaning, source: Source::Database(Kind::Counter, read) }
}

const fn pool(name: &'static str, meaning: &'static str, read: fn(&PoolCounts, &PoolLimits) -> usize) -> Metric {
    Metric { name, meaning, source: Source::Pool(read) }
}

const fn durations(name: &'static str, meaning: &'static str, read: fn(&Database) -> &Histogram) -> Metric {
    Metric { name, meaning, source: Source::Durations(read) }
}

/// All of them, in the order in which they are written.
pub(super) const METRICS: &[Metric] = &[
    gateway("serving_seconds", "How long the gateway has been serving", |gateway| {
        Value::Time(gateway.began_at.elapsed())
    }),
    gateway("clients_connected", "Clients that are connected, those at their login included", |gateway| {
        Value::of(gateway.seats_taken())
    }),
    gateway("clients_max", "Clients that may be connected at a time", |gateway| Value::of(gateway.clients_max())),
    gauge("clients", "Clients that are logged in", |database| {
        Value::Count(database.statistics.clients.load(Ordering::Relaxed))
    }),
    gauge(
        "clients_keeping_server",
        "Clients that keep their server between transactions, since something ties them to it",
        |database| Value::of(database.kept.list().len()),
    ),
    gauge("clients_held", "Clients that wait before the closed gate", |database| Value::of(database.gate.waiting())),
    gauge("paused", "1 while the gate is closed, else 0", |database| {
        Value::Count(u64::from(database.gate.closed().is_some()))
    }),
    gauge("paused_seconds", "How long the gate has been closed; 0 while it is open", |database| {
        Value::Time(database.gate.closed().map_or(Duration::ZERO, |(_, since)| since.elapsed()))
    }),
    gauge("transactions_running", "Transactions under way", |database| Value::of(database.gate.running())),
    counter("logins_total", "Logins that led to a session", |database| Value::Count(database.statistics.logins.get())),
    counter("logins_refused_total", "Logins to this database that came to nothing", |database| {
        Value::Count(database.statistics.logins_refused.get())
    }),
    counter("transactions_total", "Transactions that came to their end, committed or not", |database| {
        Value::Count(database.statistics.transactions.get())
    }),
    counter("queries_total", "Simple queries and executions of prepared statements", |database| {
        Value::Count(database.statistics.queries.get())
    }),
    counter(
        "from_clients_bytes_total",
        "Bytes that sessions read from their clients, without those of TLS",
        |database| Value::Count(database.statistics.bytes_from_clients.get()),
    ),
    counter(
        "to_clients_bytes_total",
        "Bytes that were passed on from servers to clients, without those of TLS",
        |database| Value::Count(database.statistics.bytes_to_clients.get()),
    ),
    counter(
        "requests_refused_total",
        "Requests that were refused after a wait for a server or before the gate (SQLSTATE 53300, 57P03, 08006, 28000, 3D000)",
        |database| Value::Count(database.statistics.refused_for_waiting.get()),
    ),
    counter("pins_total", "Times that something began to tie a client to its server", |database| {
        Value::Count(database.statistics.pins.get())
    }),
    counter("probes_total", "Times that a server was asked what a transaction had left in its session", |database| {
        Value::Count(database.statistics.probes.get())
    }),
    counter(
        "clients_ended_at_server_change_total",
        "Clients that were ended when the database moved, since their session depended on the former server",
        |database| Value::Count(database.statistics.ended_at_server_change.get()),
    ),
    durations(
        "transaction_time_seconds",
        "From a transaction's first message to its end, the wait for a server included, the wait before the gate not",
        |database| &database.statistics.transaction_time,
    ),
    durations(
        "wait_time_seconds",
        "How long messages waited for a server or before the gate, of those that had to wait",
        |database| &database.statistics.wait_time,
    ),
    pool("servers_idle", "Connections to the server that nobody uses", |counts, _| counts.servers_idle),
    pool("servers_used", "Connections to the server that are lent to a client", |counts, _| counts.servers_used),
    pool("servers_connecting", "Connections to the server that are being opened", |counts, _| {
        counts.servers_connecting
    }),
    pool("servers_max", "Connections to the server that there may be", |_, limits| limits.servers_max),
    pool("clients_waiting", "Clients that wait for a connection to the server", |counts, _| counts.clients_waiting),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_once_and_ends_with_its_unit() {
        for (place, metric) in METRICS.iter().enumerate() {
            assert!(METRICS.iter().take(place).all(|earlier| earlier.name != metric.name), "{}", metric.name);
            assert!(metric.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.source.kind() == Kind::Counter, "{}", metric.name);
            if metric.source.kind() == Kind::Histogram {
                assert!(metric.name.ends_with("_seconds"), "{}", metric.name);
            }
            assert!(!metric.meaning.contains(['|', '\n', '\\']), "{}", metric.name);
        }
    }
}
