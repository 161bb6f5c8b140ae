//! What one client waits longer for one row when the gateway stands in between.
//!
//! pgbench says an average, which a few slow transactions move; here every answer is timed, and the figure is the median
//! of each way less the median of the direct one. The three sessions are open at once and ask in turns of a few hundred
//! queries, so that a machine that changes its pace changes it for all.

use std::net::TcpStream;
use std::time::Instant;

use super::client::Client;
use super::pgbouncer;
use super::ways::{DIRECT, PGBOUNCER, Pool, Way, Ways, order};
use crate::child;
use crate::error::Error;
use crate::figures::Size;
use crate::lab::{DATABASE, Lab};
use crate::pairs::{Pairs, summary};
use crate::report::{Figure, Goal, Measured, Unit};

const SCALE: u32 = 10;
/// What `pgbench -S` asks, each time for another row.
const ROWS: u32 = SCALE * 100_000;
const TURNS: usize = 20;
const QUERIES: usize = 500;

/// A session on each way.
struct Sessions {
    direct: Client<TcpStream>,
    pgbouncer: Client<TcpStream>,
    ours: Client<TcpStream>,
    /// Of the next row.
    next: u32,
}

/// The microseconds of each way's answers.
#[derive(Default)]
struct Times {
    direct: Vec<f64>,
    pgbouncer: Vec<f64>,
    ours: Vec<f64>,
}

pub(in crate::figures) fn measure(lab: &Lab, size: &Size) -> Result<Vec<Figure>, Error> {
    child::time(lab.tool_at("pgbench", &lab.source, DATABASE).args(["-i", "-q", "-s", &SCALE.to_string()]))?;
    lab.checkpoint()?;
    let ways = Ways::open(lab, Pool::TRANSACTION)?;
    let connect = |way: Way| {
        Client::connect(ways.port(way), lab.source.superuser())
            .map_err(|source| Error::Client { of: way.name(), source })
    };
    let mut sessions = Sessions {
        direct: connect(Way::Direct)?,
        pgbouncer: connect(Way::Pgbouncer)?,
        ours: connect(Way::Ours)?,
        next: 0,
    };
    // Caches of the server's sessions are filled.
    sessions.round(0)?;
    let (mut added, mut direct) = (Pairs::default(), Vec::new());
    for round in 0..size.rounds {
        let times = sessions.round(round)?;
        let median = |times: &[f64]| summary(times).median;
        let base = median(&times.direct);
        added.ours.push(median(&times.ours) - base);
        added.peer.push(median(&times.pgbouncer) - base);
        direct.push(base);
    }
    Ok(vec![Figure {
        id: "gateway-latency",
        what: format!(
            "one client's wait for a row by the simple protocol beyond that of a direct connection, medians of {} queries a \
             round on each way, in turns of {QUERIES}; transaction pooling, one worker; {}; `direct` is the wait itself",
            TURNS * QUERIES,
            pgbouncer::version()?
        ),
        measured: Measured::Beside {
            unit: Unit::Microseconds,
            pairs: added,
            names: [Way::Ours.name(), PGBOUNCER],
            others: vec![(DIRECT, direct)],
        },
        goal: Goal::RatioAtMost(1.0),
    }])
}

impl Sessions {
    fn round(&mut self, round: usize) -> Result<Times, Error> {
        let mut times = Times::default();
        for turn in 0..TURNS {
            for way in order(round + turn) {
                self.turn(way, &mut times).map_err(|source| Error::Client { of: way.name(), source })?;
            }
        }
        Ok(times)
    }

    fn turn(&mut self, way: Way, times: &mut Times) -> std::io::Result<()> {
        let (client, times) = match way {
            Way::Direct => (&mut self.direct, &mut times.direct),
            Way::Pgbouncer => (&mut self.pgbouncer, &mut times.pgbouncer),
            Way::Ours => (&mut self.ours, &mut times.ours),
        };
        for _ in 0..QUERIES {
            // A step that has no common factor with the number of rows meets them all, in no order.
            self.next = (self.next + 7_919) % ROWS;
            let sql = format!("SELECT abalance FROM pgbench_accounts WHERE aid = {};", self.next + 1);
            let begun = Instant::now();
            client.query(&sql)?;
            times.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        Ok(())
    }
}
