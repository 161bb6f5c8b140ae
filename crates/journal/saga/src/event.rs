//! What is written down of a saga.

use atalaya_eventstore::{Event, EventType};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::SagaId;

/// How certain it is that a failed step has not happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The target said so.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// Which way a saga goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Step by step to its end.
    Forward,
    /// Back, undoing what was done.
    Back,
}

/// What came of a request whose answer was awaited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// It is done; what later steps should know of it.
    Done {
        /// At most 64 KiB of JSON. Never personal data.
        output: Value,
    },
    /// The target said no, and nothing has happened.
    Refused {
        /// Why not, without a value of anybody's.
        reason: String,
    },
}

/// One event of a saga's stream. Stored as JSON; names of variants and fields are a format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SagaEvent {
    /// It exists.
    Started {
        /// Its kind.
        definition: String,
        /// By which revision of it.
        revision: u32,
        /// The revision's hash, in hexadecimal digits.
        hash: String,
        /// What it was started with.
        input: Value,
    },
    /// A coordinator has taken it.
    Claimed {
        /// Who.
        owner: String,
        /// Grows by one each time.
        epoch: u64,
        /// How long the owner may be silent, in milliseconds.
        lease_ms: u64,
    },
    /// The owner is at work still.
    Renewed {
        /// Its epoch.
        epoch: u64,
    },
    /// The owner lets go of it.
    Released {
        /// Its epoch.
        epoch: u64,
    },
    /// A step's action, or its compensation, is asked for now.
    Began {
        /// Which of both.
        way: Way,
        /// The step.
        step: String,
        /// From 1.
        attempt: u32,
    },
    /// The request is made, its answer awaited.
    Awaiting {
        /// The step.
        step: String,
    },
    /// An answer has come.
    Signalled {
        /// The step.
        step: String,
        /// What it says.
        answer: Answer,
    },
    /// The step is done.
    Done {
        /// The step.
        step: String,
        /// What later steps should know of it.
        output: Value,
    },
    /// The attempt failed; the next one comes later.
    Retrying {
        /// Which way it goes.
        way: Way,
        /// The step.
        step: String,
        /// Whether it may have happened.
        certainty: Certainty,
        /// How much later, in milliseconds.
        delay_ms: u64,
        /// Why it failed.
        reason: String,
    },
    /// The step has failed for good before the pivot: the saga goes back.
    Failed {
        /// The step.
        step: String,
        /// Whether it may have happened.
        certainty: Certainty,
        /// Why it failed.
        reason: String,
    },
    /// The step is undone.
    Undone {
        /// The step.
        step: String,
        /// It had never happened.
        never_happened: bool,
    },
    /// Nothing goes on without a person.
    Stuck {
        /// Which way it goes.
        way: Way,
        /// The step.
        step: String,
        /// Why it failed.
        reason: String,
    },
    /// A person has the step tried again.
    RetriedBy {
        /// Who.
        by: String,
    },
    /// A person takes the step for done, or for undone.
    SkippedBy {
        /// The step.
        step: String,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// A person has it go back: the step has not happened, or is to be undone.
    TurnedBackBy {
        /// The step.
        step: String,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// A person gives it up as it is.
    AbandonedBy {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Every step is done.
    Completed,
    /// Every step that may have happened is undone.
    Compensated,
}

impl SagaEvent {
    /// What an event of the journal says of a saga, where it is one that says such: for projections.
    #[must_use]
    pub fn read(event: &Event) -> Option<(SagaId, Self)> {
        let id = SagaId::of_stream(&event.stream)?;
        let said: Self = serde_json::from_slice(event.data.as_deref()?).ok()?;
        (said.type_name() == event.event_type.as_str()).then_some((id, said))
    }

    /// Every type that events of sagas are stored under, for selections.
    #[must_use]
    pub fn types() -> Vec<EventType> {
        TYPES.iter().filter_map(|name| EventType::new(*name).ok()).collect()
    }

    /// The type it is stored under.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Started { .. } => STARTED_TYPE,
            Self::Claimed { .. } => "SagaClaimed",
            Self::Renewed { .. } => "SagaRenewed",
            Self::Released { .. } => "SagaReleased",
            Self::Began { .. } => "SagaStepBegan",
            Self::Awaiting { .. } => "SagaStepAwaiting",
            Self::Signalled { .. } => "SagaSignalled",
            Self::Done { .. } => "SagaStepDone",
            Self::Retrying { .. } => "SagaStepRetrying",
            Self::Failed { .. } => "SagaStepFailed",
            Self::Undone { .. } => "SagaStepUndone",
            Self::Stuck { .. } => "SagaStuck",
            Self::RetriedBy { .. } => "SagaRetried",
            Self::SkippedBy { .. } => "SagaStepSkipped",
            Self::TurnedBackBy { .. } => "SagaTurnedBack",
            Self::AbandonedBy { .. } => "SagaAbandoned",
            Self::Completed => "SagaCompleted",
            Self::Compensated => "SagaCompensated",
        }
    }
}

/// The type of every saga's first event.
pub(crate) const STARTED_TYPE: &str = "SagaStarted";

/// All types, as [`SagaEvent::type_name`] gives them.
const TYPES: &[&str] = &[
    STARTED_TYPE,
    "SagaClaimed",
    "SagaRenewed",
    "SagaReleased",
    "SagaStepBegan",
    "SagaStepAwaiting",
    "SagaSignalled",
    "SagaStepDone",
    "SagaStepRetrying",
    "SagaStepFailed",
    "SagaStepUndone",
    "SagaStuck",
    "SagaRetried",
    "SagaStepSkipped",
    "SagaTurnedBack",
    "SagaAbandoned",
    "SagaCompleted",
    "SagaCompensated",
];

/// Types that say that a saga exists, that somebody other than its owner has written to it, or that it has ended.
pub(crate) const WAKING_TYPES: &[&str] = &[
    STARTED_TYPE,
    "SagaReleased",
    "SagaSignalled",
    "SagaRetried",
    "SagaStepSkipped",
    "SagaTurnedBack",
    "SagaAbandoned",
    "SagaCompleted",
    "SagaCompensated",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored for good: what was written once has to be read by every later version.
    #[test]
    fn events_are_stored_as_ever() {
        let golden = [
            (
                r#"{"kind":"started","definition":"order","revision":1,"hash":"00","input":{"n":7}}"#,
                SagaEvent::Started {
                    definition: "order".to_owned(),
                    revision: 1,
                    hash: "00".to_owned(),
                    input: serde_json::json!({ "n": 7 }),
                },
            ),
            (
                r#"{"kind":"began","way":"back","step":"pay","attempt":2}"#,
                SagaEvent::Began { way: Way::Back, step: "pay".to_owned(), attempt: 2 },
            ),
            (
                r#"{"kind":"signalled","step":"pay","answer":{"answer":"refused","reason":"no"}}"#,
                SagaEvent::Signalled { step: "pay".to_owned(), answer: Answer::Refused { reason: "no".to_owned() } },
            ),
            (
                r#"{"kind":"retrying","way":"forward","step":"pay","certainty":"unknown","delay_ms":200,"reason":"no"}"#,
                SagaEvent::Retrying {
                    way: Way::Forward,
                    step: "pay".to_owned(),
                    certainty: Certainty::Unknown,
                    delay_ms: 200,
                    reason: "no".to_owned(),
                },
            ),
            (r#"{"kind":"completed"}"#, SagaEvent::Completed),
        ];
        for (text, event) in golden {
            assert_eq!(serde_json::to_string(&event).unwrap(), text);
            assert!(TYPES.contains(&event.type_name()) && SagaEvent::types().len() == TYPES.len());
            assert_eq!(serde_json::from_str::<SagaEvent>(text).unwrap(), event);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _any = serde_json::from_slice::<SagaEvent>(&bytes);
        }
    }
}
