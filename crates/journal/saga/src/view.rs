//! A saga as people and programs see it.

use serde::Serialize;

use crate::SagaId;
use crate::decision::Decision;
use crate::definition::Definition;
use crate::state::{Phase, State};

/// A saga as it stands. Holds nothing of its input, nor of what its steps have answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// Which one.
    pub id: SagaId,
    /// What kind.
    pub definition: String,
    /// By which revision of it.
    pub revision: u32,
    /// Whether this program has that revision; nothing of it is done elsewhere.
    pub known: bool,
    /// Where it stands.
    #[serde(flatten)]
    pub phase: Phase,
    /// Whether it can only go on, and not back.
    pub past_pivot: bool,
    /// Why it went back.
    pub failure: Option<String>,
    /// Who is at work on it.
    pub owner: Option<String>,
    /// When it was started, in microseconds since 1970 UTC.
    pub started_at_us: i64,
    /// When it ended.
    pub ended_at_us: Option<i64>,
    /// What persons decided about it, in their order.
    pub decisions: Vec<Decision>,
    /// Its steps in their order, or by name where the revision is not known.
    pub steps: Vec<StepView>,
}

/// One step as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepView {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub state: StepPhase,
    /// Attempts on the way that the saga goes.
    pub attempts: u32,
    /// When it was first asked for, in microseconds since 1970 UTC by the journal's clock.
    pub begun_at_us: Option<i64>,
    /// When it became what it is, where it is done, refused or undone.
    pub settled_at_us: Option<i64>,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepPhase {
    /// Not begun.
    Open,
    /// Begun.
    Begun,
    /// The request is made, the answer awaited.
    Awaiting,
    /// Done.
    Done,
    /// The target said no.
    Refused,
    /// Undone, or taken for it.
    Undone,
}

impl View {
    pub(crate) fn of(id: &SagaId, state: &State, definition: Option<&Definition>, past_pivot: bool) -> Self {
        let names: Vec<String> = match definition {
            Some(definition) => definition.steps().iter().map(|step| step.name.clone()).collect(),
            None => state.steps.keys().cloned().collect(),
        };
        let step = |name: String| {
            let of = state.step(&name);
            let refused =
                definition.and_then(|definition| definition.step(&name)).is_some_and(|step| state.is_refused(step));
            let phase = match &of {
                of if of.undone => StepPhase::Undone,
                of if of.done => StepPhase::Done,
                of if of.refused || refused => StepPhase::Refused,
                of if of.awaiting => StepPhase::Awaiting,
                of if of.begun_at_us.is_some() => StepPhase::Begun,
                _ => StepPhase::Open,
            };
            let is_settled = matches!(phase, StepPhase::Done | StepPhase::Refused | StepPhase::Undone);
            let settled_at_us = of.settled_at_us.filter(|_| is_settled);
            StepView { name, state: phase, attempts: of.attempts, begun_at_us: of.first_at_us, settled_at_us }
        };
        Self {
            id: id.clone(),
            definition: state.definition.clone(),
            revision: state.revision,
            known: definition.is_some(),
            phase: state.phase.clone(),
            past_pivot,
            failure: state.failure.clone(),
            owner: state.owner.clone(),
            started_at_us: state.started_at_us,
            ended_at_us: state.ended_at_us,
            decisions: state.decisions.clone(),
            steps: names.into_iter().map(step).collect(),
        }
    }
}
