//! One file a figure.

mod apply;
mod by_hand;
mod continuous;
mod copy;
mod cutover;
mod gateway;
mod journal;
mod lag;
mod memory;
mod validate;

use crate::error::Error;
use crate::lab::{Lab, MAJOR};
use crate::report::Figure;

pub(crate) use gateway::throughput::Cell;

/// How much is measured.
#[derive(Clone, Debug)]
pub(crate) struct Size {
    /// Alternating pairs.
    pub(crate) rounds: usize,
    /// pgbench's scale: 100,000 rows each; as many changes in the large transaction.
    pub(crate) scale: u32,
    /// Transactions of a backlog.
    pub(crate) transactions: u32,
    /// The shop, with its indexes.
    pub(crate) shop_megabytes: u64,
    /// Events of the journal.
    pub(crate) journal_events: usize,
    /// How long writes are followed for the lag.
    pub(crate) lag_seconds: u32,
    /// How long each run of pgbench through the gateway takes.
    pub(crate) gateway_seconds: u16,
    /// The cells of the gateway's throughput; none named: all.
    pub(crate) gateway_cells: Vec<Cell>,
    /// Each bulk transfer through the gateway.
    pub(crate) gateway_megabytes: u32,
    /// Idle clients of the gateway.
    pub(crate) gateway_clients: u32,
    /// How often clients are led there or back.
    pub(crate) flips: usize,
}

/// The figures there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Schema, rows, indexes, statistics of one large table; beside pgcopydb.
    Copy,
    /// The same of many tables; beside pgcopydb, and beside a pipe and index builds by hand.
    CopyShop,
    /// A backlog of changes; beside native logical replication, and beside decoding alone.
    Apply,
    /// From a commit on the source to the commit on the target, at 1,000 transactions a second.
    Lag,
    /// Comparison of equal tables; beside a hashed count of both sides, and reladiff.
    Validate,
    /// What continuous proof costs apply.
    Continuous,
    /// Peak memory of copying large rows and of applying a large transaction.
    Memory,
    /// The journal on SQLite and on Postgres; beside a bare loop.
    Journal,
    /// Sagas of three steps, 64 in flight, on SQLite and on Postgres.
    JournalSagas,
    /// The journal on Postgres; beside eventsourcing and cqrs-es.
    JournalPeers,
    /// pgbench -S through the gateway, in every mode; beside pgbouncer, and beside a direct connection.
    Gateway,
    /// What one client waits longer for a row through the gateway; beside pgbouncer.
    GatewayLatency,
    /// The gateway with two workers; beside one.
    GatewayThreads,
    /// A large result, and COPY both ways, through the gateway; beside a direct connection and pgbouncer.
    GatewayBulk,
    /// Resident memory of the gateway with idle clients, without and with TLS; beside pgbouncer.
    GatewayIdle,
    /// Clients led from one server to the other and back under load: the pause, and that no transaction fails. And cutovers that
    /// fail: the pause until clients are served where they were.
    Cutover,
}

impl Kind {
    /// What is measured when nothing is named, in the order of the report: everything but the gateway's throughput, whose
    /// runs take as long as all the others together, and the cutover.
    pub(crate) const BY_DEFAULT: [Self; 14] = [
        Self::Copy,
        Self::CopyShop,
        Self::Apply,
        Self::Lag,
        Self::Validate,
        Self::Continuous,
        Self::Memory,
        Self::Journal,
        Self::JournalSagas,
        Self::JournalPeers,
        Self::GatewayLatency,
        Self::GatewayThreads,
        Self::GatewayBulk,
        Self::GatewayIdle,
    ];

    /// Settings of its servers, beside those of all.
    pub(crate) fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Gateway | Self::GatewayLatency | Self::GatewayThreads | Self::GatewayBulk | Self::GatewayIdle => {
                &gateway::SETTINGS
            }
            Self::Cutover => &cutover::SETTINGS,
            _ => &[],
        }
    }

    /// The version of the server that is moved to.
    pub(crate) fn target_major(self) -> u16 {
        if self == Self::Cutover { cutover::TARGET_MAJOR } else { MAJOR }
    }

    /// Whether it can be measured here, as far as that can be said before.
    pub(crate) fn is_possible(self) -> Result<(), Error> {
        match self {
            Self::GatewayThreads => gateway::threads::is_possible(),
            _ => Ok(()),
        }
    }

    /// Measures.
    pub(crate) fn measure(self, lab: &Lab, size: &Size) -> Result<Vec<Figure>, Error> {
        match self {
            Self::Copy => copy::measure_one_table(lab, size),
            Self::CopyShop => copy::measure_shop(lab, size),
            Self::Lag => lag::measure(lab, size),
            Self::Apply => apply::measure(lab, size),
            Self::Validate => validate::measure(lab, size),
            Self::Continuous => continuous::measure(lab, size),
            Self::Memory => memory::measure(lab, size),
            Self::Journal => journal::measure(lab, size),
            Self::JournalSagas => journal::measure_sagas(lab, size),
            Self::JournalPeers => journal::measure_peers(lab, size),
            Self::Gateway => gateway::throughput::measure(lab, size, &size.gateway_cells),
            Self::GatewayLatency => gateway::latency::measure(lab, size),
            Self::GatewayThreads => gateway::threads::measure(lab, size),
            Self::GatewayBulk => gateway::bulk::measure(lab, size),
            Self::GatewayIdle => gateway::idle::measure(lab, size),
            Self::Cutover => cutover::measure(lab, size),
        }
    }
}
