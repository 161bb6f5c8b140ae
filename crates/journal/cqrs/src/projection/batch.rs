//! The statements of one batch of events, and which event each is of.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use atalaya_eventstore::{Digest, Event, Position, Statement, Value};

use super::bookkeeping::{identity, stored};
use super::parked::park;
use super::{Names, Poison, Projection};

/// Whether side effects belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effects {
    /// The version is live.
    Happen,
    /// It is being built: an earlier version has caused them.
    HeldBack,
}

/// A place in the journal, and the chain up to it: a journal that was restored has another one there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) position: Position,
    pub(super) chain: Digest,
}

/// A batch.
pub(super) struct Batch {
    pub(super) statements: Vec<Statement>,
    /// For each statement the event that it is of; none for the checkpoint.
    pub(super) events: Vec<Option<usize>>,
}

/// Why an event is set aside that could be projected by itself.
const FOLLOWS: &str = "an earlier event of its key is set aside";

/// From which event of the batch on those of a key are set aside.
pub(super) struct Parked {
    pub(super) from: usize,
    pub(super) reason: String,
}

impl Parked {
    /// Those of a key that has something set aside already.
    pub(super) fn before_the_batch() -> Self {
        Self { from: 0, reason: FOLLOWS.to_owned() }
    }
}

/// An event that could not be projected before any statement was run.
pub(super) struct Poisoned {
    pub(super) event: usize,
    pub(super) reason: String,
}

impl Batch {
    /// The checkpoint first: whoever moves it from where it was has the batch alone.
    pub(super) fn new(projection: &dyn Projection, from: Position, to: Place) -> Self {
        let sql = "UPDATE atalaya_projections SET checkpoint = $4, chain = $5
                    WHERE name = $1 AND version = $2 AND checkpoint = $3 AND NOT retired";
        let chain = Value::from(to.chain.as_bytes().to_vec());
        let values = [identity(projection), vec![stored(from), stored(to.position), chain]].concat();
        Self { statements: vec![Statement::new(sql, values).touching(1)], events: vec![None] }
    }

    /// Adds what each event makes; those of parked keys are set aside.
    pub(super) fn fill(
        &mut self,
        projection: &dyn Projection,
        events: &[Event],
        parked: &BTreeMap<String, Parked>,
        effects: Effects,
    ) -> Result<(), Poisoned> {
        let names = Names::new(projection.version());
        for (number, event) in events.iter().enumerate() {
            let key = projection.key(event);
            let statements = match parked.get(&key).filter(|parked| parked.from <= number) {
                Some(parked) => {
                    let reason = if parked.from == number { &parked.reason } else { FOLLOWS };
                    vec![park(projection, &key, event.position, reason, effects)]
                }
                None => statements_of(projection, event, &names, effects)
                    .map_err(|Poison(reason)| Poisoned { event: number, reason })?,
            };
            self.events.extend(statements.iter().map(|_| Some(number)));
            self.statements.extend(statements);
        }
        Ok(())
    }
}

/// What an event makes. A projection that panics is as one that says no; so is one that cannot say what an event causes, also
/// where that is held back: live and in a rebuild the same events are set aside.
pub(super) fn statements_of(
    projection: &dyn Projection,
    event: &Event,
    names: &Names,
    effects: Effects,
) -> Result<Vec<Statement>, Poison> {
    let made = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let mut statements = projection.project(event, names)?;
        let caused = projection.effects(event)?;
        if effects == Effects::Happen {
            statements.extend(caused);
        }
        Ok(statements)
    }));
    made.unwrap_or_else(|_| Err(Poison("the projection panicked".to_owned())))
}
