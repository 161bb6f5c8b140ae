//! Sequences by their own state.
//!
//! They are outside transactions, so while the source gives out numbers the target may only lag; they count
//! as differences where nothing writes or the plan says so.

use std::collections::HashMap;

use atalaya_data::RelationName;
use atalaya_postgres::Session;
use atalaya_postgres::catalog::{SequenceState, read_sequences};

use crate::{Error, SequenceReport, SequenceStatus};

/// Sequences of the source that stand elsewhere on the target.
pub(crate) async fn compare(
    source: &Session,
    target: &Session,
    takes: impl Fn(&SequenceState) -> bool,
) -> Result<Vec<SequenceReport>, Error> {
    // The target first: whatever the source gives out meanwhile makes the target lag, never lead.
    let target_states = read_sequences(target).await?;
    let source_states = read_sequences(source).await?;
    let by_name: HashMap<&RelationName, &SequenceState> =
        target_states.iter().map(|state| (&state.name, state)).collect();
    Ok(source_states
        .iter()
        .filter(|state| takes(state))
        .filter_map(|state| compare_one(state, by_name.get(&state.name).copied()))
        .collect())
}

fn compare_one(source: &SequenceState, target: Option<&SequenceState>) -> Option<SequenceReport> {
    let given_out = |state: &SequenceState| (state.last_value, state.is_called);
    let status = match target {
        None => SequenceStatus::Missing,
        Some(target) if given_out(target) == given_out(source) => return None,
        Some(target) if given_out(target) < given_out(source) => SequenceStatus::Lower,
        Some(_) => SequenceStatus::Higher,
    };
    Some(SequenceReport {
        name: source.name.clone(),
        status,
        source: source.last_value,
        target: target.map(|state| state.last_value),
    })
}
