//! What is written down of a saga.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
pub(crate) enum SagaEvent {
    /// It exists.
    Started { definition: String, revision: u32, hash: String, input: Value },
    /// A coordinator has taken it; the epoch grows by one each time.
    Claimed { owner: String, epoch: u64, lease_ms: u64 },
    /// The owner is at work still.
    Renewed { epoch: u64 },
    /// The owner lets go of it.
    Released { epoch: u64 },
    /// A step's action is asked for, now.
    Began { way: Way, step: String, attempt: u32 },
    /// The request is made, its answer awaited.
    Awaiting { step: String },
    /// An answer has come.
    Signalled { step: String, answer: Answer },
    /// The step is done.
    Done { step: String, output: Value },
    /// The attempt failed; the next one comes after so long.
    Retrying { way: Way, step: String, certainty: Certainty, delay_ms: u64, reason: String },
    /// The step has failed for good before the pivot: the saga goes back.
    Failed { step: String, certainty: Certainty, reason: String },
    /// The step is undone, or had never happened.
    Undone { step: String, never_happened: bool },
    /// Nothing goes on without a person.
    Stuck { way: Way, step: String, reason: String },
    /// A person has the step tried again.
    RetriedBy { by: String },
    /// A person takes the step for done, or for undone.
    SkippedBy { step: String, by: String, reason: String },
    /// A person has it go back: the step that it is stuck at has not happened, or is to be undone.
    TurnedBackBy { step: String, by: String, reason: String },
    /// A person gives it up as it is.
    AbandonedBy { by: String, reason: String },
    /// Every step is done.
    Completed,
    /// Every step that may have happened is undone.
    Compensated,
}

impl SagaEvent {
    /// The type it is stored under.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "SagaStarted",
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

/// Types that say that a saga exists, that somebody other than its owner has written to it, or that it has ended.
pub(crate) const WAKING_TYPES: &[&str] = &[
    "SagaStarted",
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
