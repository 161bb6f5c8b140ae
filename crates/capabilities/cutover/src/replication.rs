//! What a cutover needs of the streams between both servers.

use std::time::Duration;

use atalaya_data::Lsn;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::PartError;

/// Which way clients are led.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the migration's source to its target.
    Forward,
    /// Back to the source.
    Back,
}

impl Direction {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Back => "back",
        }
    }
}

/// Whether what clients write at the new place is brought back to the old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayBack {
    /// It stands.
    Stands,
    /// It is made before clients are led away.
    Missing,
    /// It cannot be.
    Impossible {
        /// Why.
        why: String,
    },
}

/// The last proof that both sides are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastProof {
    /// How long ago.
    pub age: Duration,
    /// Whether nothing differed, and every table was compared.
    pub is_clean: bool,
    /// What it looked at, for people.
    pub what: String,
}

/// How the streams stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Following {
    /// Whether a process applies changes at the place that clients are led to; why not, where not.
    pub runs: Result<(), String>,
    /// How much of the log is not applied there.
    pub lag_bytes: u64,
    /// What brings later changes back.
    pub way_back: WayBack,
    /// The last proof; none as long as nothing was proven.
    pub proof: Option<LastProof>,
    /// Tables of which a proof with both sides at rest could not tell.
    pub unprovable: Vec<Unprovable>,
}

/// A table that is not proven within a pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unprovable {
    /// Its name.
    pub table: String,
    /// Why not.
    pub why: String,
    /// What to do about it.
    pub remedy: String,
    /// Whether that is certain.
    pub outlook: Outlook,
}

/// Something of one side's schema that the other side has not, or has otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaDifference {
    /// Which object, and what of it; never a definition or a value.
    pub what: String,
    /// What it can do.
    pub harm: Harm,
}

/// What a difference between both schemas can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Other values are stored or accepted.
    Stored,
    /// The same statements do something else, are refused, or are slower.
    Done,
}

/// Whether a table will be unproven when clients are about to be led away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// It will.
    Unproven,
    /// Only where it is written to behind the last pass.
    IfWritten,
}

/// Everything up to a marker is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkerPassed {
    /// Where the marker stands in the log of the server that is left.
    pub marker: Lsn,
    /// Transactions of others with a change of a published table that were committed behind the fence.
    pub foreign: u64,
}

/// A comparison of what was written since the last one, with both sides at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Rows that were compared.
    pub rows: u64,
    /// Tables that differ, or could not be compared.
    pub different: Vec<String>,
    /// Tables that only a comparison longer than any pause could prove; nothing is known against them.
    pub unproven: Vec<String>,
}

/// Whether a process is in charge of a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charge {
    /// It is; what a process of its own kind held before is taken from that one.
    Taken,
    /// Somebody ends the move, or changes its way back.
    Occupied(PartError),
}

/// The streams between both servers, in both directions. Every call ends by itself within the limit that it is given, or
/// within a time of its own.
pub trait ReplicationControl: Send + Sync + 'static {
    /// How they stand.
    fn following(&self, direction: Direction) -> BoxFuture<'_, Result<Following, PartError>>;

    /// Where the schemas of both sides differ.
    fn schema(&self, direction: Direction) -> BoxFuture<'_, Result<Vec<SchemaDifference>, PartError>>;

    /// Whether [`ReplicationControl::make_way_back`] fills what the side that clients are led to has of the materialized
    /// views of the other one.
    fn fills_views(&self, _direction: Direction) -> BoxFuture<'_, Result<bool, PartError>> {
        async { Ok(false) }.boxed()
    }

    /// Makes the stream that brings later changes back, where it is missing, and has it run. Harmless where it stands.
    fn make_way_back(&self, direction: Direction) -> BoxFuture<'_, Result<(), PartError>>;

    /// Keeps everybody else from ending the move, changing its way back or leading its clients, for as long as the connections
    /// last that this opens. From another coordinator they are taken: nothing that it does late has an effect any more. Only
    /// looks whether they stand where they are open already.
    fn take_charge(&self) -> BoxFuture<'_, Result<Charge, PartError>>;

    /// Does before the pause what need not be done in it: connections, and a pass over what was written since the last
    /// proof; returns once little is left to apply.
    fn come_close(&self, direction: Direction, limit: Duration) -> BoxFuture<'_, Result<(), PartError>>;

    /// The same once more, right behind it: only what was written since is to be done.
    fn stay_close(&self, direction: Direction, limit: Duration) -> BoxFuture<'_, Result<(), PartError>> {
        self.come_close(direction, limit)
    }

    /// Sets a marker in the log that is left, and returns once everything before it is applied on the other side.
    fn pass_marker(
        &self,
        direction: Direction,
        fenced_at: Lsn,
        limit: Duration,
    ) -> BoxFuture<'_, Result<MarkerPassed, PartError>>;

    /// How many transactions of others were committed behind the fence by now: asked last, since whoever no fence keeps out
    /// may have written while both sides were compared.
    fn recheck(&self, direction: Direction, fenced_at: Lsn, limit: Duration) -> BoxFuture<'_, Result<u64, PartError>> {
        let passing = self.pass_marker(direction, fenced_at, limit);
        async { Ok(passing.await?.foreign) }.boxed()
    }

    /// Compares what was written since the last pass, with both sides at rest.
    fn prove(&self, direction: Direction, limit: Duration) -> BoxFuture<'_, Result<Proven, PartError>>;

    /// Sets sequences where clients are led to where those stand that they leave; says how many. Nothing is set by whoever is
    /// not in charge any more.
    fn carry_sequences(&self, direction: Direction, limit: Duration) -> BoxFuture<'_, Result<u64, PartError>>;

    /// What is left to do once clients are led to the new place, and has no part in the pause. Harmless when done again; not
    /// done by whoever is not in charge any more.
    fn take_over(&self, direction: Direction) -> BoxFuture<'_, Result<(), PartError>>;
}
