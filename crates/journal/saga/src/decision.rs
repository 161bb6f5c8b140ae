//! What persons have said of a saga. Kept to be shown: nothing is decided by it.

use serde::Serialize;

/// What a person had it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decided {
    /// The step was tried again.
    Retry,
    /// The step was taken for done, or for undone.
    Skip,
    /// It went back.
    TurnBack,
    /// It was given up as it was.
    Abandon,
}

/// A person's decision about a saga.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// When, in microseconds since 1970 UTC by the journal's clock.
    pub at_us: i64,
    /// Who.
    pub by: String,
    /// What.
    pub decided: Decided,
    /// About which step; none where it was about all of it.
    pub step: Option<String>,
    /// Why, where that is asked for.
    pub reason: Option<String>,
}
