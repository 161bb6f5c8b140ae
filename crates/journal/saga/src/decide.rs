//! What comes next. Pure: a state, a definition and the time in, one decision out.

use std::time::Duration;

use crate::StepError;
use crate::definition::{Definition, Retry, Step, Work};
use crate::event::{Answer, Certainty, SagaEvent, Way};
use crate::state::{Phase, State};

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decision {
    /// This is to be written down, then look again.
    Record(SagaEvent),
    /// The action is to be asked for, or the compensation, once this is written down.
    Ask(SagaEvent),
    /// Nothing before this time of the database's clock; a signal may come sooner.
    WaitUntil(i64),
    /// Nothing before a signal.
    WaitForSignal,
    /// Nothing: it has ended, or waits for a person.
    Nothing,
}

/// Decides.
pub(crate) fn decide(definition: &Definition, state: &State, now_us: i64) -> Decision {
    match state.phase {
        Phase::Stuck { .. } | Phase::Ended { .. } => Decision::Nothing,
        Phase::Going { way: Way::Forward } => {
            match definition.steps().iter().find(|step| !state.step(&step.name).done) {
                Some(step) => forward(definition, state, step, now_us),
                None => Decision::Record(SagaEvent::Completed),
            }
        }
        Phase::Going { way: Way::Back } => {
            let open = |step: &&Step| {
                let of = state.step(&step.name);
                step.compensation.is_some() && of.begun_at_us.is_some() && !state.is_refused(step) && !of.undone
            };
            match definition.steps().iter().rev().find(open) {
                Some(step) => again(definition, state, step, Way::Back, now_us),
                None => Decision::Record(SagaEvent::Compensated),
            }
        }
    }
}

fn forward(definition: &Definition, state: &State, step: &Step, now_us: i64) -> Decision {
    let of = state.step(&step.name);
    let Some(begun_at_us) = of.begun_at_us else {
        return Decision::Ask(SagaEvent::Began { way: Way::Forward, step: step.name.clone(), attempt: 1 });
    };
    if let Work::Wait(how_long) = step.work {
        let due_us = later(begun_at_us, how_long);
        if now_us < due_us {
            return Decision::WaitUntil(due_us);
        }
        return Decision::Record(SagaEvent::Done { step: step.name.clone(), output: serde_json::Value::Null });
    }
    match &of.answer {
        Some(Answer::Done { output }) => {
            return Decision::Record(SagaEvent::Done { step: step.name.clone(), output: output.clone() });
        }
        Some(Answer::Refused { reason }) => {
            let certainty = Certainty::Refused;
            return Decision::Record(given_up(definition, state, step, certainty, reason.clone()));
        }
        None => {}
    }
    let over_us = step.deadline.map(|deadline| later(begun_at_us, deadline));
    if over_us.is_some_and(|over_us| now_us >= over_us) {
        let reason =
            if of.awaiting { "no answer came within the step's deadline" } else { "the step's deadline has passed" };
        // The request may be on its way still.
        return Decision::Record(given_up(definition, state, step, Certainty::Unknown, reason.to_owned()));
    }
    match (of.awaiting, over_us) {
        (true, Some(over_us)) => Decision::WaitUntil(over_us),
        (true, None) => Decision::WaitForSignal,
        (false, _) => again(definition, state, step, Way::Forward, now_us),
    }
}

/// The next attempt, at its time. One that was open when its owner was lost is made again at once, by the same key; it
/// counts like any other, or a step that ends its process would be asked for for ever.
fn again(definition: &Definition, state: &State, step: &Step, way: Way, now_us: i64) -> Decision {
    let of = state.step(&step.name);
    match of.due_us {
        // No wait is that long: the database's clock was set back.
        Some(due_us) if now_us < due_us && due_us <= later(now_us, step.retry.backoff_max) => {
            Decision::WaitUntil(due_us)
        }
        _ if of.open && of.attempts >= step.retry.attempts => {
            let lost = StepError::Unknown("each of its attempts broke off without an answer".to_owned());
            Decision::Record(after_failure(definition, state, way, step, &lost))
        }
        _ => {
            let attempt = of.attempts.saturating_add(1);
            Decision::Ask(SagaEvent::Began { way, step: step.name.clone(), attempt })
        }
    }
}

/// What an attempt's failure comes to.
pub(crate) fn after_failure(
    definition: &Definition,
    state: &State,
    way: Way,
    step: &Step,
    error: &StepError,
) -> SagaEvent {
    let (certainty, reason) = match error {
        StepError::Refused(reason) => (Certainty::Refused, cut(reason)),
        StepError::Unknown(reason) => (Certainty::Unknown, cut(reason)),
    };
    let attempts = state.step(&step.name).attempts;
    let past_pivot = way == Way::Forward && is_past_pivot(definition, state);
    // What is undone may be refused for now, and what follows the pivot has no way but on.
    let final_refusal = certainty == Certainty::Refused && way == Way::Forward && !past_pivot;
    if attempts < step.retry.attempts && !final_refusal {
        let delay_ms = delay_ms(&step.retry, attempts);
        return SagaEvent::Retrying { way, step: step.name.clone(), certainty, delay_ms, reason };
    }
    if way == Way::Back {
        return SagaEvent::Stuck { way, step: step.name.clone(), reason };
    }
    given_up(definition, state, step, certainty, reason)
}

/// As much of a reason as is kept.
fn cut(reason: &str) -> String {
    const REASON_BYTES: usize = 4096;
    reason.get(..reason.floor_char_boundary(REASON_BYTES)).unwrap_or_default().to_owned()
}

/// What comes of a step that is not tried again by itself.
fn given_up(definition: &Definition, state: &State, step: &Step, certainty: Certainty, reason: String) -> SagaEvent {
    let doubtful = match certainty {
        Certainty::Unknown => true,
        Certainty::Refused => state.step(&step.name).doubtful && !step.refusal_settles,
    };
    // Whether a pivot has happened decides which way to go: where nobody knows, a person has to find out.
    if is_past_pivot(definition, state) || (step.pivot && doubtful) {
        return SagaEvent::Stuck { way: Way::Forward, step: step.name.clone(), reason };
    }
    SagaEvent::Failed { step: step.name.clone(), certainty, reason }
}

pub(crate) fn is_past_pivot(definition: &Definition, state: &State) -> bool {
    definition.steps().iter().any(|step| step.pivot && state.step(&step.name).done)
}

fn delay_ms(retry: &Retry, attempts: u32) -> u64 {
    u64::try_from(retry.wait_after(attempts).as_millis()).unwrap_or(u64::MAX)
}

fn later(at_us: i64, how_long: Duration) -> i64 {
    at_us.saturating_add(i64::try_from(how_long.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{Outcome, StepContext, Undone};

    fn step(name: &str) -> Step {
        Step::new(name, |_: StepContext| std::future::ready(Ok(Outcome::Done(Value::Null))))
            .undone_by(|_: StepContext| std::future::ready(Ok(Undone::Undone)))
    }

    fn state(definition: &Definition, events: &[SagaEvent]) -> State {
        let started = SagaEvent::Started {
            definition: definition.name().to_owned(),
            revision: 1,
            hash: definition.hash().to_string(),
            input: Value::Null,
        };
        let mut state = State::begin(started, 0).unwrap();
        events.iter().for_each(|event| state.apply(event.clone(), 1_000));
        state
    }

    fn began(way: Way, step: &str) -> SagaEvent {
        SagaEvent::Began { way, step: step.to_owned(), attempt: 1 }
    }

    fn failed(certainty: Certainty) -> SagaEvent {
        SagaEvent::Failed { step: "b".to_owned(), certainty, reason: String::new() }
    }

    #[test]
    fn a_step_that_was_begun_and_not_written_down_is_asked_for_again() {
        let definition = Definition::new("d", 1, vec![step("a")]).unwrap();
        let state = state(&definition, &[began(Way::Forward, "a")]);
        let again = SagaEvent::Began { way: Way::Forward, step: "a".to_owned(), attempt: 2 };
        assert_eq!(decide(&definition, &state, 2_000), Decision::Ask(again));
    }

    #[test]
    fn what_may_have_happened_is_undone_and_what_was_refused_is_not() {
        let definition = Definition::new("d", 1, vec![step("a"), step("b")]).unwrap();
        let done = SagaEvent::Done { step: "a".to_owned(), output: Value::Null };
        let begun = [began(Way::Forward, "a"), done, began(Way::Forward, "b")];
        for (certainty, first) in [(Certainty::Unknown, "b"), (Certainty::Refused, "a")] {
            let events = [begun.as_slice(), &[failed(certainty)]].concat();
            assert_eq!(decide(&definition, &state(&definition, &events), 0), Decision::Ask(began(Way::Back, first)));
        }
    }

    #[test]
    fn a_wait_and_a_retry_are_due_by_the_stored_time() {
        let definition = Definition::new("d", 1, vec![Step::wait("a", Duration::from_millis(5))]).unwrap();
        let waiting = state(&definition, &[began(Way::Forward, "a")]);
        assert_eq!(decide(&definition, &waiting, 5_999), Decision::WaitUntil(6_000));
        assert!(matches!(decide(&definition, &waiting, 6_000), Decision::Record(SagaEvent::Done { .. })));
    }

    #[test]
    fn after_the_pivot_a_refusal_is_tried_again_and_then_a_persons() {
        let definition = Definition::new("d", 1, vec![step("a").pivot(), step("b")]).unwrap();
        let done = SagaEvent::Done { step: "a".to_owned(), output: Value::Null };
        let mut past = state(&definition, &[began(Way::Forward, "a"), done, began(Way::Forward, "b")]);
        let refused = StepError::Refused("no".to_owned());
        let of = definition.step("b").unwrap();
        let after = after_failure(&definition, &past, Way::Forward, of, &refused);
        assert!(matches!(after, SagaEvent::Retrying { .. }), "{after:?}");
        past.apply(SagaEvent::Began { way: Way::Forward, step: "b".to_owned(), attempt: 5 }, 2_000);
        let after = after_failure(&definition, &past, Way::Forward, of, &refused);
        assert!(matches!(after, SagaEvent::Stuck { way: Way::Forward, .. }), "{after:?}");
    }

    #[test]
    fn a_refusal_says_nothing_of_an_attempt_that_was_lost_before_it() {
        let refused = StepError::Refused("no".to_owned());
        let again = SagaEvent::Began { way: Way::Forward, step: "b".to_owned(), attempt: 2 };
        let done = SagaEvent::Done { step: "a".to_owned(), output: Value::Null };
        let lost = [began(Way::Forward, "a"), done, began(Way::Forward, "b"), again];
        for pivot in [false, true] {
            let second = if pivot { step("b").pivot() } else { step("b") };
            let definition = Definition::new("d", 1, vec![step("a"), second]).unwrap();
            let mut state = state(&definition, &lost);
            let after = after_failure(&definition, &state, Way::Forward, definition.step("b").unwrap(), &refused);
            assert_eq!(matches!(after, SagaEvent::Stuck { .. }), pivot, "{after:?}");
            if !pivot {
                state.apply(after, 2_000);
                assert_eq!(decide(&definition, &state, 2_000), Decision::Ask(began(Way::Back, "b")));
            }
        }
    }

    #[test]
    fn a_target_that_answers_by_the_key_settles_an_attempt_that_was_lost() {
        let refused = StepError::Refused("no".to_owned());
        let again = SagaEvent::Began { way: Way::Forward, step: "a".to_owned(), attempt: 2 };
        for settles in [false, true] {
            let pay = step("a").pivot();
            let pay = if settles { pay.settled_by_refusal() } else { pay };
            let definition = Definition::new("d", 1, vec![pay]).unwrap();
            let mut lost = state(&definition, &[began(Way::Forward, "a"), again.clone()]);
            let after = after_failure(&definition, &lost, Way::Forward, definition.step("a").unwrap(), &refused);
            assert_eq!(matches!(after, SagaEvent::Failed { .. }), settles, "{after:?}");
            if settles {
                lost.apply(after, 2_000);
                assert_eq!(decide(&definition, &lost, 2_000), Decision::Record(SagaEvent::Compensated));
            }
        }
    }

    #[test]
    fn a_step_that_ends_its_process_each_time_is_not_asked_for_for_ever() {
        let definition = Definition::new("d", 1, vec![step("a")]).unwrap();
        let last = SagaEvent::Began { way: Way::Forward, step: "a".to_owned(), attempt: 5 };
        let decision = decide(&definition, &state(&definition, &[last]), 2_000);
        let Decision::Record(SagaEvent::Failed { certainty: Certainty::Unknown, .. }) = decision else {
            panic!("{decision:?}");
        };
    }

    #[test]
    fn what_has_an_effect_before_the_pivot_needs_a_compensation() {
        let acting = || Step::new("a", |_: StepContext| std::future::ready(Ok(Outcome::Done(Value::Null))));
        assert!(Definition::new("d", 1, vec![acting()]).is_err());
        assert!(Definition::new("d", 1, vec![acting().without_effect()]).is_ok());
        assert!(Definition::new("d", 1, vec![acting().pivot()]).is_ok());
        assert!(Definition::new("d", 1, vec![step("p").pivot(), acting()]).is_ok());
    }
}
