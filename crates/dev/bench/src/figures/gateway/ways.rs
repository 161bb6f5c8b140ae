//! Three ways to one database, and turns on all of them.

use std::process::Command;

use super::{ours, pgbouncer};
use crate::child::Running;
use crate::error::Error;
use crate::lab::{DATABASE, Lab};
use crate::pairs::Pairs;

/// How long a client keeps a server's session.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pooling {
    /// For a transaction.
    Transaction,
    /// For as long as it is there.
    Session,
}

impl Pooling {
    /// In the words of both configurations.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::Session => "session",
        }
    }
}

/// What both pools are told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pool {
    pub(super) pooling: Pooling,
    /// Sessions with the server at most.
    pub(super) servers_max: u32,
}

impl Pool {
    /// What the figures use unless they say otherwise.
    pub(super) const TRANSACTION: Self = Self { pooling: Pooling::Transaction, servers_max: 20 };
}

/// A program that stands before the server. It ends when this is dropped, and its folder goes.
pub(super) struct Front {
    pub(super) running: Running,
    pub(super) port: u16,
    pub(super) _folder: tempfile::TempDir,
}

/// Which way a client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Direct,
    Pgbouncer,
    Ours,
}

impl Way {
    /// For people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => DIRECT,
            Self::Pgbouncer => PGBOUNCER,
            Self::Ours => "atalaya",
        }
    }
}

pub(super) const DIRECT: &str = "direct";
pub(super) const PGBOUNCER: &str = "pgbouncer";

/// All three, to the source's database.
pub(super) struct Ways<'a> {
    lab: &'a Lab,
    pgbouncer: Front,
    ours: Front,
}

impl<'a> Ways<'a> {
    /// Starts both pools.
    pub(super) fn open(lab: &'a Lab, pool: Pool) -> Result<Self, Error> {
        let pgbouncer = pgbouncer::start(lab, pool)?;
        let ours = ours::start(lab, ours::Options { pool, workers: 1, tls: None })?;
        Ok(Self { lab, pgbouncer, ours })
    }

    pub(super) fn port(&self, way: Way) -> u16 {
        match way {
            Way::Direct => self.lab.source.port(),
            Way::Pgbouncer => self.pgbouncer.port,
            Way::Ours => self.ours.port,
        }
    }

    /// A tool that takes a way.
    pub(super) fn tool(&self, name: &str, way: Way) -> Command {
        self.lab.tool_through(name, &self.lab.source, self.port(way), DATABASE)
    }
}

/// What was measured on each way, in the order of the rounds.
#[derive(Debug, Default)]
pub(super) struct Turns {
    pub(super) direct: Vec<f64>,
    pub(super) pgbouncer: Vec<f64>,
    pub(super) ours: Vec<f64>,
}

impl Turns {
    /// Takes each way once a round; who goes first of the two pools alternates, and the direct way is between them.
    pub(super) fn take(rounds: usize, mut turn: impl FnMut(Way) -> Result<f64, Error>) -> Result<Self, Error> {
        let mut turns = Self::default();
        for round in 0..rounds {
            for way in order(round) {
                let number = turn(way)?;
                match way {
                    Way::Direct => turns.direct.push(number),
                    Way::Pgbouncer => turns.pgbouncer.push(number),
                    Way::Ours => turns.ours.push(number),
                }
            }
        }
        Ok(turns)
    }

    /// Ours beside pgbouncer's, and the direct way's apart.
    pub(super) fn beside_pgbouncer(self) -> (Pairs, Vec<f64>) {
        (Pairs { ours: self.ours, peer: self.pgbouncer }, self.direct)
    }

    /// Ours beside the direct way's, and pgbouncer's apart.
    pub(super) fn beside_direct(self) -> (Pairs, Vec<f64>) {
        (Pairs { ours: self.ours, peer: self.direct }, self.pgbouncer)
    }
}

/// The order of a round.
pub(super) fn order(round: usize) -> [Way; 3] {
    if round.is_multiple_of(2) {
        [Way::Pgbouncer, Way::Direct, Way::Ours]
    } else {
        [Way::Ours, Way::Direct, Way::Pgbouncer]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_is_taken_once_a_round_and_the_pools_change_places() {
        let mut seen = Vec::new();
        let turns = Turns::take(2, |way| {
            seen.push(way);
            Ok(seen.len() as f64)
        })
        .unwrap();
        assert_eq!(seen, [order(0), order(1)].concat());
        let (pairs, direct) = turns.beside_pgbouncer();
        assert_eq!((pairs.ours, pairs.peer, direct), (vec![3.0, 4.0], vec![1.0, 6.0], vec![2.0, 5.0]));
    }
}
