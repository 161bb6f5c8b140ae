//! `pgbench -S` in every mode through one worker of the gateway and through pgbouncer, which has one: transactions each
//! second. A direct connection stands beside them, once a round.
//!
//! The rows fit in memory. pgbench has one thread, so that it leaves as much of the machine as it can to the others.
//! Prepared statements are measured with a session for each client on both sides: pgbouncer 1.18 knows none in a pool of
//! transactions. There 200 clients stand for many, since each of them needs a session of the server on each way.

use super::pgbench::{self, Mode};
use super::pgbouncer;
use super::ways::{DIRECT, PGBOUNCER, Pool, Pooling, Turns, Way, Ways};
use crate::child;
use crate::error::Error;
use crate::figures::Size;
use crate::lab::{DATABASE, Lab};
use crate::report::{Figure, Goal, Measured, Unit};

const SCALE: &str = "10";
/// Sessions of a pool in which each client has one: as many as the most clients there.
const SESSIONS_MAX: u32 = 200;
/// Before the first turn, so that every way's sessions are open.
const WARMING_SECONDS: u16 = 1;

struct Cell {
    id: &'static str,
    mode: Mode,
    clients: u32,
}

const POOLED: [Cell; 6] = [
    Cell { id: "gateway-simple-1", mode: Mode::Simple, clients: 1 },
    Cell { id: "gateway-simple-50", mode: Mode::Simple, clients: 50 },
    Cell { id: "gateway-simple-500", mode: Mode::Simple, clients: 500 },
    Cell { id: "gateway-extended-1", mode: Mode::Extended, clients: 1 },
    Cell { id: "gateway-extended-50", mode: Mode::Extended, clients: 50 },
    Cell { id: "gateway-extended-500", mode: Mode::Extended, clients: 500 },
];
const SESSIONS: [Cell; 3] = [
    Cell { id: "gateway-prepared-1", mode: Mode::Prepared, clients: 1 },
    Cell { id: "gateway-prepared-50", mode: Mode::Prepared, clients: 50 },
    Cell { id: "gateway-prepared-200", mode: Mode::Prepared, clients: SESSIONS_MAX },
];

pub(in crate::figures) fn measure(lab: &Lab, size: Size) -> Result<Vec<Figure>, Error> {
    child::time(lab.tool_at("pgbench", &lab.source, DATABASE).args(["-i", "-q", "-s", SCALE]))?;
    lab.checkpoint()?;
    let mut figures = cells(lab, size, Pool::TRANSACTION, &POOLED)?;
    let sessions = Pool { pooling: Pooling::Session, servers_max: SESSIONS_MAX };
    figures.extend(cells(lab, size, sessions, &SESSIONS)?);
    let ratios: Vec<f64> = figures.iter().map(Figure::value).collect();
    figures.push(Figure {
        id: "gateway-mean",
        what: "the geometric mean of the ratios of transactions/s".to_owned(),
        measured: Measured::GeometricMean(ratios),
        goal: Goal::RatioAtLeast(1.0),
    });
    Ok(figures)
}

/// All cells by the same two pools.
fn cells(lab: &Lab, size: Size, pool: Pool, cells: &[Cell]) -> Result<Vec<Figure>, Error> {
    let ways = Ways::open(lab, pool)?;
    let version = pgbouncer::version()?;
    cells
        .iter()
        .map(|cell| {
            for way in [Way::Pgbouncer, Way::Ours] {
                pgbench::run(&ways, way, cell.mode, cell.clients, WARMING_SECONDS)?;
            }
            let seconds = size.gateway_seconds;
            let turns = Turns::take(size.rounds, |way| pgbench::run(&ways, way, cell.mode, cell.clients, seconds))?;
            let (pairs, direct) = turns.beside_pgbouncer();
            Ok(Figure {
                id: cell.id,
                what: format!(
                    "pgbench -S -M {} of scale {SCALE}, {} clients, {seconds} s each; {} pooling, at most {} sessions of \
                     the server, one worker; {version}",
                    cell.mode.word(),
                    cell.clients,
                    pool.pooling.word(),
                    pool.servers_max
                ),
                measured: Measured::Beside {
                    unit: Unit::TransactionsPerSecond,
                    pairs,
                    names: [Way::Ours.name(), PGBOUNCER],
                    others: vec![(DIRECT, direct)],
                },
                goal: Goal::RatioAtLeast(0.97),
            })
        })
        .collect()
}
