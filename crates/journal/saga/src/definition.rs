//! What a saga consists of, in which order, and what may be undone.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use atalaya_eventstore::Digest;
use futures_util::FutureExt;

use crate::step::{Action, Compensation};
use crate::{DefinitionError, Outcome, StepContext, StepError, Undone};

/// How often and how long a step is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The most attempts, the first one included.
    pub attempts: u32,
    /// How long to wait before the second; doubled for each one after it.
    pub backoff: Duration,
    /// The longest wait.
    pub backoff_max: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 5, backoff: Duration::from_millis(200), backoff_max: Duration::from_secs(60) }
    }
}

impl Retry {
    /// How long to wait after so many attempts.
    pub(crate) fn wait_after(&self, attempts: u32) -> Duration {
        let doubled = 1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
        self.backoff.saturating_mul(doubled).min(self.backoff_max)
    }
}

/// What kind of step it is.
pub(crate) enum Work {
    /// Something is done.
    Act(Action),
    /// So long is waited, over restarts too.
    Wait(Duration),
}

/// One step.
pub struct Step {
    pub(crate) name: String,
    pub(crate) work: Work,
    pub(crate) compensation: Option<Compensation>,
    pub(crate) retry: Retry,
    pub(crate) deadline: Option<Duration>,
    pub(crate) attempt_limit: Duration,
    pub(crate) pivot: bool,
    /// Whether the target's refusal holds for earlier requests with the same key, too.
    pub(crate) refusal_settles: bool,
    /// Whether there is something to undo.
    pub(crate) effect: bool,
}

/// How long one attempt may take where nothing else is said.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(3600);

impl Step {
    /// A step that does something. It may be asked for the same more than once, with the same key.
    pub fn new<F, A>(name: impl Into<String>, action: A) -> Self
    where
        A: Fn(StepContext) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Outcome, StepError>> + Send + 'static,
    {
        Self {
            name: name.into(),
            work: Work::Act(Arc::new(move |context| action(context).boxed())),
            compensation: None,
            retry: Retry::default(),
            deadline: None,
            attempt_limit: ATTEMPT_LIMIT,
            pivot: false,
            refusal_settles: false,
            effect: true,
        }
    }

    /// A step that waits for so long, over restarts too.
    #[must_use]
    pub fn wait(name: impl Into<String>, how_long: Duration) -> Self {
        Self {
            name: name.into(),
            work: Work::Wait(how_long),
            compensation: None,
            retry: Retry::default(),
            deadline: None,
            attempt_limit: ATTEMPT_LIMIT,
            pivot: false,
            refusal_settles: false,
            effect: false,
        }
    }

    /// What undoes it. It is asked for whenever the step was begun, whether or not it happened: it has to accept that it
    /// never did, and to see to it that a request that is still on its way comes to nothing.
    #[must_use]
    pub fn undone_by<F, C>(mut self, compensation: C) -> Self
    where
        C: Fn(StepContext) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Undone, StepError>> + Send + 'static,
    {
        self.compensation = Some(Arc::new(move |context| compensation(context).boxed()));
        self
    }

    /// How often it is tried.
    #[must_use]
    pub fn retried(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// How long it may take from its first attempt on, the wait for an answer included.
    #[must_use]
    pub fn within(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// How long one attempt may take, of the action and of the compensation; an hour where nothing is said. What came of one
    /// that takes longer is not known.
    #[must_use]
    pub fn each_within(mut self, limit: Duration) -> Self {
        self.attempt_limit = limit;
        self
    }

    /// Says that the target answers by the key: what it has refused once it refuses for every request with that key, also for
    /// one that is on its way still. Then a refusal settles attempts before it whose answer was lost, to a kill for one.
    ///
    /// Where this is not said, nobody knows what became of such an attempt: the step is undone though its repetition was
    /// refused, and at a pivot, where the answer decides which way to go, a person is waited for.
    #[must_use]
    pub fn settled_by_refusal(mut self) -> Self {
        self.refusal_settles = true;
        self
    }

    /// A step that only looks: there is nothing to undo.
    #[must_use]
    pub fn without_effect(mut self) -> Self {
        self.effect = false;
        self
    }

    /// The step after which nothing is undone any more: what follows is tried until it goes well or a person decides.
    #[must_use]
    pub fn pivot(mut self) -> Self {
        self.pivot = true;
        self
    }
}

/// A kind of saga. Sagas that were started by it are bound to it: a changed one does not touch them.
#[derive(Clone)]
pub struct Definition(Arc<Parts>);

struct Parts {
    name: String,
    revision: u32,
    steps: Vec<Step>,
    hash: Digest,
}

impl Definition {
    /// A kind of saga. The revision is raised whenever a step does something else under its old name.
    ///
    /// # Errors
    /// When there is no step, two have one name, there is more than one pivot, or a step before it that has an effect has no
    /// compensation: what cannot be undone must not be taken for undone.
    pub fn new(name: impl Into<String>, revision: u32, steps: Vec<Step>) -> Result<Self, DefinitionError> {
        let name = name.into();
        if name.is_empty() || steps.is_empty() || steps.iter().any(|step| step.name.is_empty()) {
            return Err(DefinitionError::Empty);
        }
        for (place, step) in steps.iter().enumerate() {
            if steps.iter().take(place).any(|other| other.name == step.name) {
                return Err(DefinitionError::Twice { step: step.name.clone() });
            }
        }
        if steps.iter().filter(|step| step.pivot).count() > 1 {
            return Err(DefinitionError::Pivots);
        }
        let mut before_pivot = steps.iter().take_while(|step| !step.pivot);
        if let Some(step) = before_pivot.find(|step| step.effect && step.compensation.is_none()) {
            return Err(DefinitionError::NoCompensation { step: step.name.clone() });
        }
        let hash = hash_of(&name, revision, &steps);
        Ok(Self(Arc::new(Parts { name, revision, steps, hash })))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Which revision of it.
    #[must_use]
    pub fn revision(&self) -> u32 {
        self.0.revision
    }

    /// What its sagas are bound to: name, revision, the steps' names, kinds and order, pivot, which can be undone.
    #[must_use]
    pub fn hash(&self) -> Digest {
        self.0.hash
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.0.steps
    }

    pub(crate) fn step(&self, name: &str) -> Option<&Step> {
        self.0.steps.iter().find(|step| step.name == name)
    }
}

fn hash_of(name: &str, revision: u32, steps: &[Step]) -> Digest {
    let revision = revision.to_be_bytes();
    let mut parts: Vec<&[u8]> = vec![b"atalaya saga definition 1", name.as_bytes(), &revision];
    let marks: Vec<[u8; 3]> = steps.iter().map(marks_of).collect();
    for (step, marks) in steps.iter().zip(&marks) {
        let kind: &[u8] = match step.work {
            Work::Act(_) => b"act",
            Work::Wait(_) => b"wait",
        };
        parts.extend([step.name.as_bytes(), kind, marks]);
    }
    Digest::of_parts(&parts)
}

fn marks_of(step: &Step) -> [u8; 3] {
    [step.pivot, step.compensation.is_some(), step.effect].map(u8::from)
}
