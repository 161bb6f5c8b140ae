//! One attempt at a step: what it is told, and a task of its own that breaks off alone.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::definition::{Step, Work};
use crate::event::{SagaEvent, Way};
use crate::state::State;
use crate::stream::EVENT_BYTES_MAX;
use crate::{Outcome, SagaId, StepContext, StepError, Undone};

/// An action under way, ended when nobody waits for it any more.
pub(crate) struct Attempt(JoinHandle<Result<Came, StepError>>);

impl Drop for Attempt {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What an action or a compensation came to.
pub(crate) enum Came {
    Done(serde_json::Value),
    Awaiting,
    Undone(Undone),
}

impl Attempt {
    /// Asks for a step's action, or for its compensation; none where there is nothing to ask for. All of what the step does
    /// is in a task of its own: one that panics breaks off alone.
    pub(crate) fn begin(id: &SagaId, state: &State, way: Way, step: &Step) -> Option<Self> {
        let context = context_of(id, state, way, step);
        let task = match (way, &step.work) {
            (Way::Forward, Work::Act(action)) => {
                let action = Arc::clone(action);
                tokio::spawn(async move {
                    Ok(match action(context).await? {
                        Outcome::Done(output) => Came::Done(output),
                        Outcome::Awaiting => Came::Awaiting,
                    })
                })
            }
            // It only has to be written down to begin.
            (Way::Forward, Work::Wait(_)) => return None,
            (Way::Back, _) => {
                let compensation = Arc::clone(step.compensation.as_ref()?);
                tokio::spawn(async move { Ok(Came::Undone(compensation(context).await?)) })
            }
        };
        Some(Self(task))
    }

    /// What came of it. Dropping the future does not end the attempt.
    pub(crate) async fn came(&mut self) -> Result<Came, StepError> {
        let joined = (&mut self.0).await;
        joined.unwrap_or_else(|_| Err(StepError::Unknown("the step broke off".to_owned())))
    }
}

/// What a step answered, or that it was too much: it is done all the same, and must not be asked for again.
pub(crate) fn done(step: &str, output: serde_json::Value) -> SagaEvent {
    let size = serde_json::to_vec(&output).map_or(usize::MAX, |bytes| bytes.len());
    let fits = size < EVENT_BYTES_MAX - 4096;
    let output = if fits { output } else { left_out() };
    SagaEvent::Done { step: step.to_owned(), output }
}

/// What stands in the place of what a step has said and a saga may not keep.
pub(crate) fn left_out() -> serde_json::Value {
    serde_json::json!({ "left_out": "a saga may not keep it" })
}

fn context_of(id: &SagaId, state: &State, way: Way, step: &Step) -> StepContext {
    let key = match way {
        Way::Forward => format!("{id}/{}", step.name),
        Way::Back => format!("{id}/{}/undo", step.name),
    };
    StepContext {
        saga: id.clone(),
        step: step.name.clone(),
        key,
        attempt: state.step(&step.name).attempts,
        input: Arc::new(state.input.clone()),
        outputs: Arc::new(state.outputs.clone()),
    }
}
