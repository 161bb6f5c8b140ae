//! Two workers of the gateway beside one, as pgbench reads through it.
//!
//! Client, gateway and server share the machine's cores, so that on two of them a second worker has no core of its own, and
//! the server could not follow it if it had. So each worker is held to a small share of a core, which is what makes it the
//! narrowest place: whatever the rate gains, it gains by a second worker.

use super::ours;
use super::pgbench::{self, Mode};
use super::share::Share;
use super::ways::{Front, Pool, Pooling, Way};
use crate::child;
use crate::error::Error;
use crate::figures::Size;
use crate::lab::{DATABASE, Lab};
use crate::pairs::{Pairs, Side};
use crate::report::{Figure, Goal, Measured, Unit};

const SCALE: &str = "10";
/// More than both can serve in what they are given, so that both have always somebody to serve.
const CLIENTS: u32 = 200;
/// A worker that has used up its share keeps the sessions that it has: there are enough for the others.
const POOL: Pool = Pool { pooling: Pooling::Transaction, servers_max: CLIENTS };
const WARMING_SECONDS: u16 = 1;

/// Whether it can be measured here.
pub(in crate::figures) fn is_possible() -> Result<(), Error> {
    Share::is_allowed()
}

pub(in crate::figures) fn measure(lab: &Lab, size: &Size) -> Result<Vec<Figure>, Error> {
    child::time(lab.tool_at("pgbench", &lab.source, DATABASE).args(["-i", "-q", "-s", SCALE]))?;
    lab.checkpoint()?;
    let start = |workers| ours::start(lab, ours::Options { pool: POOL, workers, tls: None });
    let (one, two) = (start(1)?, start(2)?);
    let (share_of_one, share_of_two) = (Share::hold(&one, 1)?, Share::hold(&two, 2)?);
    let turn = |front: &Front, seconds| {
        let tool = lab.tool_through("pgbench", &lab.source, front.port, DATABASE);
        pgbench::run(tool, Way::Ours.name(), Mode::Simple, CLIENTS, seconds)
    };
    for front in [&one, &two] {
        turn(front, WARMING_SECONDS)?;
    }
    let mut pairs = Pairs::default();
    for round in 0..size.rounds {
        let order = if round.is_multiple_of(2) { [Side::Peer, Side::Ours] } else { [Side::Ours, Side::Peer] };
        for side in order {
            let seconds = size.gateway_seconds;
            match side {
                Side::Ours => pairs.ours.push(share_of_two.within(|| turn(&two, seconds))?),
                Side::Peer => pairs.peer.push(share_of_one.using_up(|| turn(&one, seconds))?),
            }
        }
    }
    Ok(vec![Figure {
        id: "gateway-threads",
        what: format!(
            "pgbench -S -M simple of scale {SCALE}, {CLIENTS} clients, {} s each; transaction pooling, each worker held to {} \
             of a core, which one worker alone uses up",
            size.gateway_seconds,
            Share::words()
        ),
        measured: Measured::Beside {
            unit: Unit::TransactionsPerSecond,
            pairs,
            names: ["two workers", "one worker"],
            others: Vec::new(),
        },
        goal: Goal::RatioAtLeast(1.3),
    }])
}
