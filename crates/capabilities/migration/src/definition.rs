//! The saga's steps.

use std::sync::Arc;
use std::time::Duration;

use atalaya_saga::{Definition, DefinitionError, Outcome, Retry, Step, StepContext, StepError, Undone};
use serde_json::Value;

use crate::{Engine, Reached};

/// What kind of saga a migration is.
pub const KIND: &str = "migrate";

/// Publications, slot and schema are made by a run.
pub(crate) const BEGIN: &str = "begin";
/// Rows are copied by a run.
pub(crate) const COPY: &str = "copy";
/// Changes are followed, until both sides are proven equal and somebody ends it.
pub(crate) const FOLLOW: &str = "follow";
/// What is ours goes.
pub(crate) const REMOVE: &str = "remove";

/// The steps that the saga only asks for, with what the target shows once each is done.
pub(crate) const BY_OTHERS: [(&str, Reached); 3] =
    [(BEGIN, Reached::Copy), (COPY, Reached::Stream), (FOLLOW, Reached::Finished)];

/// Whoever calls for the last steps calls again after a failure: there is nobody who would be told that it was given up.
const AGAIN: Retry = Retry { attempts: u32::MAX, backoff: Duration::from_secs(1), backoff_max: Duration::from_secs(1) };
/// Validating foreign keys and waiting for locks takes as long as it takes.
const LONG: Duration = Duration::from_secs(7 * 24 * 3600);

/// The kind, whose last steps are done by `engine`.
pub(crate) fn definition(engine: &Arc<dyn Engine>) -> Result<Definition, DefinitionError> {
    let (removing, withdrawing) = (Arc::clone(engine), Arc::clone(engine));
    // What a run does may have happened as soon as it is asked for.
    let begin = by_runs(BEGIN).retried(AGAIN).each_within(LONG).undone_by(move |_: StepContext| {
        let engine = Arc::clone(&withdrawing);
        async move { engine.withdraw().await.map(|()| Undone::Undone).map_err(StepError::Unknown) }
    });
    // Rows that were copied stay on the target: nobody but its owner drops data.
    let copy = by_runs(COPY).without_effect();
    let follow = by_runs(FOLLOW).without_effect();
    let remove = Step::new(REMOVE, move |_: StepContext| {
        let engine = Arc::clone(&removing);
        async move { engine.clean_up().await.map(|()| Outcome::Done(Value::Null)).map_err(StepError::Unknown) }
    });
    let remove = remove.retried(AGAIN).each_within(LONG).pivot();
    Definition::new(KIND, 1, vec![begin, copy, follow, remove])
}

/// A step that is done by runs, which come and go, and say when it is done.
fn by_runs(name: &str) -> Step {
    Step::new(name, |_: StepContext| std::future::ready(Ok(Outcome::Awaiting)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Idle;

    /// Migrations that are under way are bound to it: other steps need another revision beside this one.
    #[test]
    fn the_steps_are_as_ever() {
        let engine: Arc<dyn Engine> = Arc::new(Idle);
        let hash = definition(&engine).unwrap().hash().to_string();
        assert_eq!(hash, "3ed0007c704d7d3aa1a2a7ac49f6084b6f63df871d1e446dc1bc929f3c214c52");
    }
}
