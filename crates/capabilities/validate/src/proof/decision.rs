//! How much of a table a pass has to look at.

use std::time::Duration;

use super::standing::Standing;
use crate::unit::Unit;

/// What a pass over what was touched does with a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Compare every row.
    Full,
    /// Compare the keys that were written since.
    Keys,
    /// Nothing was written since it was proven.
    Untouched,
}

/// Decides by what the target says; every row where anything is unsure.
pub(crate) fn decide(unit: &Unit, standing: &Standing, full_age_max: Duration) -> Decision {
    let Some(table) = standing.of(&unit.target_name) else { return Decision::Full };
    let proven = table.full_age_seconds.is_some_and(|age| age <= full_age_max.as_secs_f64());
    let same_columns = unit.missing_columns.is_empty() && unit.extra_columns.is_empty();
    if !proven || !same_columns || table.whole || table.shape != unit.shape {
        Decision::Full
    } else if table.keys > 0 {
        Decision::Keys
    } else {
        Decision::Untouched
    }
}
