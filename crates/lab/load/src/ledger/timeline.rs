//! When clients were told of their commits, and how long they had waited for them: what a pause looks like from outside.

use std::time::Duration;

use serde::Serialize;

/// The run cut into slots of equal length, from its start.
///
/// Holds six hours at most; what comes later counts in the last slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// When the run began, in microseconds since 1970 by this machine's clock.
    pub began_at_us: i64,
    /// Commits that clients were told of in each slot; slots behind the last commit are missing.
    pub committed: Vec<u32>,
    /// Of these, the longest time from `BEGIN` to the answer of `COMMIT`, in microseconds.
    pub longest_us: Vec<u32>,
}

impl Timeline {
    /// Milliseconds of a slot.
    pub const SLOT_MS: u32 = 10;
    const SLOTS_MAX: usize = 6 * 3600 * 100;

    pub(super) fn add(&mut self, at: Duration, latency: Duration) {
        let slot = usize::try_from(at.as_millis() / u128::from(Self::SLOT_MS)).unwrap_or(usize::MAX);
        let slot = slot.min(Self::SLOTS_MAX - 1);
        if self.committed.len() <= slot {
            self.committed.resize(slot + 1, 0);
            self.longest_us.resize(slot + 1, 0);
        }
        if let (Some(committed), Some(longest)) = (self.committed.get_mut(slot), self.longest_us.get_mut(slot)) {
            *committed += 1;
            *longest = (*longest).max(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_counted_in_the_slot_in_which_clients_heard_of_them() {
        let mut timeline = Timeline::default();
        for (at_ms, latency_us) in [(0, 500), (9, 700), (10, 300), (45, 36_000)] {
            timeline.add(Duration::from_millis(at_ms), Duration::from_micros(latency_us));
        }
        assert_eq!(timeline.committed, [2, 1, 0, 0, 1]);
        assert_eq!(timeline.longest_us, [700, 300, 0, 0, 36_000]);
    }

    #[test]
    fn a_run_of_days_takes_no_more_room_than_one_of_hours() {
        let mut timeline = Timeline::default();
        for days in [1, 2] {
            timeline.add(Duration::from_secs(days * 86_400), Duration::ZERO);
        }
        assert_eq!(timeline.committed.len(), Timeline::SLOTS_MAX);
        assert_eq!(timeline.committed.last(), Some(&2));
    }
}
