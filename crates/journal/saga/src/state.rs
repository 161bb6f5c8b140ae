//! What a saga's events come to. Pure: the same events, the same state, wherever and whenever.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decision::{Decided, Decision};
use crate::definition::Step;
use crate::event::{Answer, Certainty, SagaEvent, Way};

/// How a saga ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Every step is done.
    Completed,
    /// Every step that may have happened is undone.
    Compensated,
    /// A person gave it up as it is.
    Abandoned,
}

/// Where a saga stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// It goes this way.
    Going {
        /// Which way.
        way: Way,
    },
    /// A person has to say how to go on.
    Stuck {
        /// The way it went.
        way: Way,
        /// The step that could not be done, or undone.
        step: String,
        /// Why not.
        reason: String,
    },
    /// It is over.
    Ended {
        /// How.
        end: End,
    },
}

/// One step's history.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct StepState {
    /// When its action was first asked for, by the database's clock, or was again since a person had it tried again.
    pub(crate) begun_at_us: Option<i64>,
    /// When its action was first asked for, whatever came then; for people.
    pub(crate) first_at_us: Option<i64>,
    /// When it was last done, refused or undone, or taken for it; for people.
    pub(crate) settled_at_us: Option<i64>,
    /// Attempts since it was begun, or since a person had it tried again; of its compensation once the saga goes back.
    pub(crate) attempts: u32,
    /// Not to be tried again before.
    pub(crate) due_us: Option<i64>,
    /// Whether an attempt is under way, or was when its owner was lost.
    pub(crate) open: bool,
    pub(crate) awaiting: bool,
    pub(crate) answer: Option<Answer>,
    pub(crate) done: bool,
    pub(crate) undone: bool,
    /// The target said that it has not happened, and no earlier attempt may have.
    pub(crate) refused: bool,
    /// The target said that it has not happened, whatever earlier attempts came to.
    pub(crate) denied: bool,
    /// An attempt ended without anybody knowing whether it happened.
    pub(crate) doubtful: bool,
}

/// A saga as its events tell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) definition: String,
    pub(crate) revision: u32,
    pub(crate) hash: String,
    pub(crate) input: Value,
    pub(crate) owner: Option<String>,
    pub(crate) epoch: u64,
    pub(crate) lease_ms: u64,
    /// When its owner, or whoever wrote last, was heard of, by the database's clock.
    pub(crate) heard_at_us: i64,
    pub(crate) started_at_us: i64,
    pub(crate) phase: Phase,
    pub(crate) steps: BTreeMap<String, StepState>,
    pub(crate) outputs: BTreeMap<String, Value>,
    /// Why it went back, for people.
    pub(crate) failure: Option<String>,
    /// What persons said, in their order, for people.
    pub(crate) decisions: Vec<Decision>,
    /// When it ended.
    pub(crate) ended_at_us: Option<i64>,
}

impl State {
    /// The state after the first event; none where that is no start.
    pub(crate) fn begin(event: SagaEvent, at_us: i64) -> Option<Self> {
        let SagaEvent::Started { definition, revision, hash, input } = event else { return None };
        Some(Self {
            definition,
            revision,
            hash,
            input,
            owner: None,
            epoch: 0,
            lease_ms: 0,
            heard_at_us: at_us,
            started_at_us: at_us,
            phase: Phase::Going { way: Way::Forward },
            steps: BTreeMap::new(),
            outputs: BTreeMap::new(),
            failure: None,
            decisions: Vec::new(),
            ended_at_us: None,
        })
    }

    /// Until when the owner may be at work, by the database's clock; none where there is no owner.
    pub(crate) fn leased_until_us(&self) -> Option<i64> {
        let lease_us = i64::try_from(self.lease_ms).unwrap_or(i64::MAX / 2).saturating_mul(1000);
        self.owner.as_ref().map(|_| self.heard_at_us.saturating_add(lease_us))
    }

    /// How long its owner may be silent.
    pub(crate) fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    /// Whether a step has not happened for certain, so that there is nothing to undo.
    pub(crate) fn is_refused(&self, step: &Step) -> bool {
        let of = self.step(&step.name);
        of.refused || (of.denied && step.refusal_settles)
    }

    pub(crate) fn step(&self, name: &str) -> StepState {
        self.steps.get(name).cloned().unwrap_or_default()
    }

    fn step_mut(&mut self, name: &str) -> &mut StepState {
        self.steps.entry(name.to_owned()).or_default()
    }

    /// Goes on by one event.
    pub(crate) fn apply(&mut self, event: SagaEvent, at_us: i64) {
        self.decisions.extend(self.decision(&event, at_us));
        match event {
            SagaEvent::Started { .. } => {}
            SagaEvent::Claimed { owner, epoch, lease_ms } => {
                (self.owner, self.epoch, self.lease_ms, self.heard_at_us) = (Some(owner), epoch, lease_ms, at_us);
            }
            SagaEvent::Renewed { .. } => self.heard_at_us = at_us,
            SagaEvent::Released { .. } => self.owner = None,
            SagaEvent::Began { way, step, attempt } => {
                self.heard_at_us = at_us;
                let step = self.step_mut(&step);
                // Of an attempt whose owner was lost nobody knows what came.
                step.doubtful |= way == Way::Forward && step.open;
                step.begun_at_us.get_or_insert(at_us);
                step.first_at_us.get_or_insert(at_us);
                (step.attempts, step.open, step.due_us) = (attempt, true, None);
            }
            SagaEvent::Awaiting { step } => {
                self.heard_at_us = at_us;
                let step = self.step_mut(&step);
                (step.awaiting, step.open) = (true, false);
            }
            SagaEvent::Signalled { step, answer } => {
                // The first answer counts; one that comes before the request was written down counts, too.
                self.step_mut(&step).answer.get_or_insert(answer);
            }
            SagaEvent::Done { step, output } => self.done(&step, output, at_us),
            SagaEvent::Retrying { way, step, certainty, delay_ms, .. } => {
                self.heard_at_us = at_us;
                let wait_us = i64::try_from(delay_ms).unwrap_or(i64::MAX / 2).saturating_mul(1000);
                let step = self.step_mut(&step);
                (step.open, step.due_us) = (false, Some(at_us.saturating_add(wait_us)));
                step.doubtful |= way == Way::Forward && certainty == Certainty::Unknown;
            }
            SagaEvent::Failed { step, certainty, reason } => self.failed(&step, certainty, reason, at_us),
            SagaEvent::Undone { step, .. } => {
                self.heard_at_us = at_us;
                let step = self.step_mut(&step);
                (step.undone, step.open, step.settled_at_us) = (true, false, Some(at_us));
            }
            SagaEvent::Stuck { way, step, reason } => {
                let of = self.step_mut(&step);
                of.open = false;
                // Whatever a later attempt is answered, an earlier one may be on its way still.
                of.doubtful |= way == Way::Forward;
                self.phase = Phase::Stuck { way, step, reason };
            }
            SagaEvent::RetriedBy { .. } => {
                if let Phase::Stuck { way, step, .. } = self.phase.clone() {
                    let step = self.step_mut(&step);
                    // The deadline counts anew, and what was refused may be granted now.
                    (step.attempts, step.due_us, step.awaiting) = (0, None, false);
                    step.answer = step.answer.take().filter(|answer| matches!(answer, Answer::Done { .. }));
                    step.begun_at_us = Some(at_us);
                    self.phase = Phase::Going { way };
                }
            }
            SagaEvent::SkippedBy { step, .. } => self.skipped(&step, at_us),
            SagaEvent::TurnedBackBy { step, reason, .. } => self.failed(&step, Certainty::Unknown, reason, at_us),
            SagaEvent::AbandonedBy { .. } => self.ended(End::Abandoned, at_us),
            SagaEvent::Completed => self.ended(End::Completed, at_us),
            SagaEvent::Compensated => self.ended(End::Compensated, at_us),
        }
    }

    /// What a person says with an event, as the saga stands before it.
    fn decision(&self, event: &SagaEvent, at_us: i64) -> Option<Decision> {
        let (by, decided, step, reason) = match event {
            SagaEvent::RetriedBy { by } => {
                let Phase::Stuck { step, .. } = &self.phase else { return None };
                (by, Decided::Retry, Some(step), None)
            }
            SagaEvent::SkippedBy { step, by, reason } => (by, Decided::Skip, Some(step), Some(reason)),
            SagaEvent::TurnedBackBy { step, by, reason } => (by, Decided::TurnBack, Some(step), Some(reason)),
            SagaEvent::AbandonedBy { by, reason } => (by, Decided::Abandon, None, Some(reason)),
            _ => return None,
        };
        Some(Decision { at_us, by: by.clone(), decided, step: step.cloned(), reason: reason.cloned() })
    }

    fn ended(&mut self, end: End, at_us: i64) {
        (self.phase, self.ended_at_us) = (Phase::Ended { end }, Some(at_us));
    }

    fn done(&mut self, step: &str, output: Value, at_us: i64) {
        self.heard_at_us = at_us;
        self.outputs.insert(step.to_owned(), output);
        let step = self.step_mut(step);
        (step.done, step.open, step.awaiting, step.settled_at_us) = (true, false, false, Some(at_us));
        (step.refused, step.denied) = (false, false);
    }

    fn failed(&mut self, name: &str, certainty: Certainty, reason: String, at_us: i64) {
        self.heard_at_us = at_us;
        let step = self.step_mut(name);
        (step.open, step.awaiting, step.settled_at_us) = (false, false, Some(at_us));
        // A refusal says nothing of an earlier attempt that may be on its way still.
        step.denied = certainty == Certainty::Refused;
        step.refused = step.denied && !step.doubtful;
        // Attempts are those of the compensation from here on.
        self.steps.values_mut().for_each(|step| (step.attempts, step.due_us) = (0, None));
        self.failure = Some(format!("{name}: {reason}"));
        self.phase = Phase::Going { way: Way::Back };
    }

    fn skipped(&mut self, step: &str, at_us: i64) {
        let Phase::Stuck { way, .. } = self.phase else { return };
        match way {
            Way::Forward => self.done(step, Value::Null, at_us),
            Way::Back => {
                let step = self.step_mut(step);
                (step.undone, step.settled_at_us) = (true, Some(at_us));
            }
        }
        self.phase = Phase::Going { way };
    }
}
