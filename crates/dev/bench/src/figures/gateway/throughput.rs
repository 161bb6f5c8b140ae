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

/// One mode with so many clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Cell {
    #[value(name = "simple-1")]
    Simple1,
    #[value(name = "simple-50")]
    Simple50,
    #[value(name = "simple-500")]
    Simple500,
    #[value(name = "extended-1")]
    Extended1,
    #[value(name = "extended-50")]
    Extended50,
    #[value(name = "extended-500")]
    Extended500,
    #[value(name = "prepared-1")]
    Prepared1,
    #[value(name = "prepared-50")]
    Prepared50,
    #[value(name = "prepared-200")]
    Prepared200,
}

impl Cell {
    const POOLED: [Self; 6] =
        [Self::Simple1, Self::Simple50, Self::Simple500, Self::Extended1, Self::Extended50, Self::Extended500];
    const SESSIONS: [Self; 3] = [Self::Prepared1, Self::Prepared50, Self::Prepared200];

    fn parts(self) -> (&'static str, Mode, u32) {
        match self {
            Self::Simple1 => ("gateway-simple-1", Mode::Simple, 1),
            Self::Simple50 => ("gateway-simple-50", Mode::Simple, 50),
            Self::Simple500 => ("gateway-simple-500", Mode::Simple, 500),
            Self::Extended1 => ("gateway-extended-1", Mode::Extended, 1),
            Self::Extended50 => ("gateway-extended-50", Mode::Extended, 50),
            Self::Extended500 => ("gateway-extended-500", Mode::Extended, 500),
            Self::Prepared1 => ("gateway-prepared-1", Mode::Prepared, 1),
            Self::Prepared50 => ("gateway-prepared-50", Mode::Prepared, 50),
            Self::Prepared200 => ("gateway-prepared-200", Mode::Prepared, SESSIONS_MAX),
        }
    }
}

/// Of the cells only those that are named, or all where none is.
pub(in crate::figures) fn measure(lab: &Lab, size: &Size, named: &[Cell]) -> Result<Vec<Figure>, Error> {
    child::time(lab.tool_at("pgbench", &lab.source, DATABASE).args(["-i", "-q", "-s", SCALE]))?;
    lab.checkpoint()?;
    let wanted = |cells: &[Cell]| -> Vec<Cell> {
        cells.iter().copied().filter(|cell| named.is_empty() || named.contains(cell)).collect()
    };
    let sessions = Pool { pooling: Pooling::Session, servers_max: SESSIONS_MAX };
    let mut figures = cells(lab, size, Pool::TRANSACTION, &wanted(&Cell::POOLED))?;
    figures.extend(cells(lab, size, sessions, &wanted(&Cell::SESSIONS))?);
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
fn cells(lab: &Lab, size: &Size, pool: Pool, cells: &[Cell]) -> Result<Vec<Figure>, Error> {
    if cells.is_empty() {
        return Ok(Vec::new());
    }
    let ways = Ways::open(lab, pool)?;
    let version = pgbouncer::version()?;
    cells
        .iter()
        .map(|cell| {
            let (id, mode, clients) = cell.parts();
            let run =
                |way: Way, seconds| pgbench::run(ways.tool("pgbench", way), way.name(), mode, clients, seconds);
            for way in [Way::Pgbouncer, Way::Ours] {
                run(way, WARMING_SECONDS)?;
            }
            let seconds = size.gateway_seconds;
            let turns = Turns::take(size.rounds, |way| run(way, seconds))?;
            let (pairs, direct) = turns.beside_pgbouncer();
            Ok(Figure {
                id,
                what: format!(
                    "pgbench -S -M {} of scale {SCALE}, {} clients, {seconds} s each; {} pooling, at most {} sessions of \
                     the server, one worker; {version}",
                    mode.word(),
                    clients,
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
