//! What can go wrong with sagas, as opposed to within one.

use crate::SagaId;

/// A definition that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// No name, or no step, or a step without a name.
    #[error("a saga needs a name and at least one step, each with a name")]
    Empty,
    /// Two steps with one name.
    #[error("two steps have the name `{step}`: their keys would be the same")]
    Twice {
        /// The name.
        step: String,
    },
    /// A step that may have to be undone, and cannot be.
    #[error(
        "the step `{step}` comes before the pivot and has no compensation: say what undoes it, or that it has no effect"
    )]
    NoCompensation {
        /// The step.
        step: String,
    },
    /// More than one pivot.
    #[error("a saga has at most one pivot")]
    Pivots,
    /// Two definitions with one name and revision.
    #[error("two definitions of `{name}` have the same steps and revision")]
    Known {
        /// The name.
        name: String,
    },
}

/// What can go wrong with sagas.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] atalaya_eventstore::Error),
    /// No such kind of saga.
    #[error("there is no saga `{name}` in this program")]
    UnknownDefinition {
        /// Its name.
        name: String,
    },
    /// A definition that is none.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// No such saga.
    #[error("there is no saga `{id}`")]
    UnknownSaga {
        /// Its identity.
        id: SagaId,
    },
    /// Another saga was started under the same identity.
    #[error("another saga was started as `{id}`, of another kind or with another input")]
    OtherSaga {
        /// The identity.
        id: SagaId,
    },
    /// The saga was started by a definition that this program does not have any more.
    #[error(
        "the saga `{id}` was started by revision {revision} of `{definition}`, which this program does not have: nothing \
         of it is done until it has"
    )]
    Changed {
        /// The saga.
        id: SagaId,
        /// Its kind.
        definition: String,
        /// The revision that it is bound to.
        revision: u32,
    },
    /// It is over already.
    #[error("the saga `{id}` has ended")]
    Ended {
        /// The saga.
        id: SagaId,
    },
    /// No person is waited for.
    #[error("the saga `{id}` is not stuck: there is nothing to decide")]
    NotStuck {
        /// The saga.
        id: SagaId,
    },
    /// It is past its pivot, or goes back already.
    #[error("the saga `{id}` cannot go back: it is past its pivot, or goes back already")]
    NoWayBack {
        /// The saga.
        id: SagaId,
    },
    /// Somebody is at work on it.
    #[error("the saga `{id}` is being worked on; it can be given up once it is stuck or nobody does")]
    Owned {
        /// The saga.
        id: SagaId,
    },
    /// The definition has no such step.
    #[error("the saga `{id}` has no step `{step}`")]
    UnknownStep {
        /// The saga.
        id: SagaId,
        /// The step.
        step: String,
    },
    /// What was to be written is larger than it may be.
    #[error("what a step, an input or an answer says is larger than {limit} bytes")]
    TooLarge {
        /// The most bytes.
        limit: usize,
    },
    /// The stream holds what no version of this program wrote.
    #[error("the saga `{id}` cannot be read at version {version} of its stream")]
    Unreadable {
        /// The saga.
        id: SagaId,
        /// Where in its stream.
        version: u64,
    },
    /// Others wrote to the saga's stream all the time.
    #[error("the saga `{id}` was written to by others at each of {attempts} attempts")]
    Contended {
        /// The saga.
        id: SagaId,
        /// How often it was tried.
        attempts: u32,
    },
}
