//! What the comparison of one table has come to so far.

use crate::merge::{Group, Tally};

/// Numbers, and the rows behind them as far as they are kept.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Rows on the source.
    pub(crate) source_rows: u64,
    /// Rows on the target.
    pub(crate) target_rows: u64,
    /// Differing rows, counted exactly.
    pub(crate) tally: Tally,
    /// The keys whose rows differ.
    pub(crate) groups: Vec<Group>,
    /// Whether there were more than could be kept.
    pub(crate) cut: bool,
}

impl Outcome {
    /// Counts a group's differences, and keeps it while fewer than `kept_max` are kept.
    pub(crate) fn add(&mut self, group: Group, kept_max: usize) {
        let tally = group.tally();
        if tally.is_zero() {
            return;
        }
        self.tally.add(tally);
        if self.groups.len() < kept_max {
            self.groups.push(group);
        } else {
            self.cut = true;
        }
    }
}
