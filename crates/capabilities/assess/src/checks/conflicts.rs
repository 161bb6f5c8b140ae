//! Whether each table can have the conflict policy that is asked for.

use crate::{Check, Facts, Finding, Outcome, Severity};

use super::support::ready;

pub(super) const CHECKS: &[Check] = &[Check {
    id: "conflict-policies",
    title: "every table can have the conflict policy that is asked for",
    severity: Severity::Fail,
    why: "a policy can only settle what it can see: a row is found by a key, a changed row is told by its old one, a later one by a column of time; a policy that sees less would lose rows in silence",
    remedy: "give the table what its policy needs, or another policy with `--conflicts`",
    run: |facts| ready(policies(facts)),
}];

fn policies(facts: &Facts) -> Outcome {
    facts
        .moving()
        .filter_map(|table| {
            let policy = facts.options.conflicts.of(table);
            // Nothing but INSERT travels of an append-only table, and its rows are not known by a key.
            let (seen, remedy) = policy.refusal(table)?;
            Some(Finding::fail(seen).on(&table.name).remedy(remedy))
        })
        .collect::<Vec<_>>()
        .into()
}
