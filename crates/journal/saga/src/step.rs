//! What a step does, and what it may answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::SagaId;

/// What a step is told.
#[derive(Clone, Debug)]
pub struct StepContext {
    /// The saga.
    pub saga: SagaId,
    /// The step's name.
    pub step: String,
    /// What the target has to be told with the request: the same for every attempt, and for no other step. A target that
    /// has seen it before answers as it did then; an aggregate is such a target by `Aggregates::execute_once`.
    pub key: String,
    /// Which attempt this is, from 1. For people to read; never part of what the target is told.
    pub attempt: u32,
    /// What the saga was started with.
    pub input: Arc<Value>,
    /// What earlier steps have answered, by their names.
    pub outputs: Arc<BTreeMap<String, Value>>,
}

impl StepContext {
    /// What the saga was started with, as the program knows it.
    ///
    /// # Errors
    /// [`StepError::Refused`] where it is something else: nothing has happened, and nothing will.
    pub fn read_input<T: DeserializeOwned>(&self) -> Result<T, StepError> {
        // Without serde's words, which may quote a value.
        T::deserialize(&*self.input)
            .map_err(|_| StepError::Refused("the saga was started with something else".to_owned()))
    }

    /// What an earlier step has answered.
    #[must_use]
    pub fn output(&self, step: &str) -> Option<&Value> {
        self.outputs.get(step)
    }
}

/// What an action answers when it went well.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is done; what later steps and its compensation should know of it, at most 64 KiB of JSON. Never personal data.
    Done(Value),
    /// The request is made, or is sure to go out, from an outbox for one; the answer comes by [`crate::Sagas::signal`], from
    /// whoever receives it.
    Awaiting,
}

/// What an action or a compensation answers when it did not go well. The text reaches the journal and people: it says
/// what to do, and never a value of anybody's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The target said no, and nothing has happened.
    #[error("{0}")]
    Refused(String),
    /// It may have happened or not; the same request again, by its key, finds out.
    #[error("{0}")]
    Unknown(String),
}

/// What a compensation answers when it went well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// What the step did is undone, or is sure to be: a compensation does not wait for an answer. One that asks by message
    /// is undone once the message is sure to go out after the request's, as of one key of an outbox.
    Undone,
    /// The step had never happened, and by this request's key never will.
    NeverHappened,
}

/// What a step does.
pub(crate) type Action = Arc<dyn Fn(StepContext) -> BoxFuture<'static, Result<Outcome, StepError>> + Send + Sync>;
/// What undoes it.
pub(crate) type Compensation = Arc<dyn Fn(StepContext) -> BoxFuture<'static, Result<Undone, StepError>> + Send + Sync>;
