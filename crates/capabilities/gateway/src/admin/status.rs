//! What a gateway says of itself.

use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use crate::database::Database;
use crate::gateway::Gateway;
use crate::statistics::Histogram;

/// The format of [`GatewayStatus`]; it grows when a field changes its meaning or goes.
const FORMAT: u32 = 1;

/// The whole gateway.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GatewayStatus {
    /// The format of this document.
    pub format: u32,
    /// Since when it serves, in seconds.
    pub serving_seconds: u64,
    /// Clients that are connected, those at their login included.
    pub clients: usize,
    /// Each database.
    pub databases: Vec<DatabaseStatus>,
}

/// One database.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatabaseStatus {
    /// The gateway's name of it.
    pub name: String,
    /// The estate's name of where it leads.
    pub to: String,
    /// The epoch by which the journal leads there; `None` where the estate file or an administrator does.
    #[serde(default)]
    pub led_by_epoch: Option<u64>,
    /// `transaction` or `session`.
    pub pooling: String,
    /// Clients that are logged in.
    pub clients: u64,
    /// Its gate.
    pub gate: GateStatus,
    /// The servers of each user.
    pub pools: Vec<PoolStatus>,
    /// Clients that keep a server between transactions, and why.
    pub kept: Vec<KeptClient>,
    /// Logins since the gateway began.
    pub logins: u64,
    /// Logins that were refused.
    pub logins_refused: u64,
    /// Transactions that came to their end.
    pub transactions: u64,
    /// Statements.
    pub queries: u64,
    /// Bytes that clients sent.
    pub bytes_from_clients: u64,
    /// Bytes that clients were sent.
    pub bytes_to_clients: u64,
    /// Requests that were refused, since no server was free or the gate was closed for too long.
    pub refused_for_waiting: u64,
    /// Times that a client began to keep a server.
    pub pins: u64,
    /// Times that a server was asked what a transaction left in its session.
    pub probes: u64,
    /// Clients that were ended when their server was no longer used.
    pub ended_at_server_change: u64,
    /// From a transaction's first message to its end.
    pub transaction_time: Quantiles,
    /// How long transactions waited before they could begin, of those that waited.
    pub wait_time: Quantiles,
}

/// A gate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GateStatus {
    /// The epoch of a pause; `None` while the gate is open.
    pub paused_epoch: Option<u64>,
    /// What only the journal opens it for; `None` where an administrator may.
    #[serde(default)]
    pub held: Option<HeldFor>,
    /// Since when it is closed.
    pub paused_ms: Option<u64>,
    /// Transactions under way.
    pub running: usize,
    /// Clients that wait before it.
    pub waiting: usize,
}

/// What a gate waits for that an administrator does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum HeldFor {
    /// Where its route leads is not known yet.
    Route,
    /// An epoch of its route is not decided.
    Epoch {
        /// Its number in the journal.
        epoch: u64,
    },
}

/// The servers of one user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PoolStatus {
    /// The client's user.
    pub user: String,
    /// Connections that nobody uses.
    pub servers_idle: usize,
    /// Connections in use.
    pub servers_used: usize,
    /// Connections that are being opened.
    pub servers_connecting: usize,
    /// Clients that wait for one.
    pub clients_waiting: usize,
}

/// A client that keeps its server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeptClient {
    /// The number that its cancel key names.
    pub process_id: i32,
    /// The server's process, as in `pg_stat_activity`.
    pub server_process_id: i32,
    /// What binds it.
    pub because: Vec<String>,
}

/// A distribution of durations; each is the upper end of a bucket, buckets being powers of two.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Quantiles {
    /// How many.
    pub count: u64,
    /// Half of them took no longer.
    pub p50_us: u64,
    /// 99 of 100 took no longer.
    pub p99_us: u64,
}

impl Quantiles {
    fn of(histogram: &Histogram) -> Self {
        Self {
            count: histogram.count(),
            p50_us: histogram.quantile_microseconds(0.5),
            p99_us: histogram.quantile_microseconds(0.99),
        }
    }
}

impl GatewayStatus {
    pub(super) fn of(gateway: &Gateway) -> Self {
        Self {
            format: FORMAT,
            serving_seconds: gateway.began_at.elapsed().as_secs(),
            clients: gateway.seats_taken(),
            databases: gateway.databases().iter().map(|database| DatabaseStatus::of(database, gateway)).collect(),
        }
    }
}

impl DatabaseStatus {
    fn of(database: &Database, gateway: &Gateway) -> Self {
        let route = gateway.route(&database.route()).ok();
        let statistics = &database.statistics;
        let closed = database.gate.closed();
        let pools = database.pools().into_iter().map(|pool| {
            let counts = pool.counts();
            PoolStatus {
                user: pool.user.clone(),
                servers_idle: counts.servers_idle,
                servers_used: counts.servers_used,
                servers_connecting: counts.servers_connecting,
                clients_waiting: counts.clients_waiting,
            }
        });
        Self {
            name: database.name.clone(),
            to: database.to(),
            led_by_epoch: route.as_ref().and_then(|route| route.led()).map(|led| led.epoch),
            pooling: database.pooling().word().to_owned(),
            clients: statistics.clients.load(Ordering::Relaxed),
            gate: GateStatus {
                paused_epoch: closed.map(|(epoch, _)| epoch),
                held: route.and_then(|route| route.held_for()),
                paused_ms: closed.map(|(_, since)| milliseconds(since.elapsed())),
                running: database.gate.running(),
                waiting: database.gate.waiting(),
            },
            pools: pools.collect(),
            kept: database.kept.list(),
            logins: statistics.logins.get(),
            logins_refused: statistics.logins_refused.get(),
            transactions: statistics.transactions.get(),
            queries: statistics.queries.get(),
            bytes_from_clients: statistics.bytes_from_clients.get(),
            bytes_to_clients: statistics.bytes_to_clients.get(),
            refused_for_waiting: statistics.refused_for_waiting.get(),
            pins: statistics.pins.get(),
            probes: statistics.probes.get(),
            ended_at_server_change: statistics.ended_at_server_change.get(),
            transaction_time: Quantiles::of(&statistics.transaction_time),
            wait_time: Quantiles::of(&statistics.wait_time),
        }
    }
}

pub(crate) fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
