//! When growth is worth a word: at each step upwards, not each time somebody looks.

/// Shares of a limit, in percent, at which it is told how much is used.
const STEPS: &[u64] = &[50, 70, 80, 90, 95];
/// Below this share all steps are told anew.
const CALM: u64 = 40;

/// Steps towards a limit.
#[derive(Debug, Default)]
pub(super) struct Ladder {
    told: u64,
}

impl Ladder {
    /// The share of `limit` in percent, when `used` has come to a step that was not told yet.
    pub(super) fn step(&mut self, used: u64, limit: u64) -> Option<u64> {
        let share = used.saturating_mul(100) / limit.max(1);
        if share < CALM {
            self.told = 0;
        }
        let step = STEPS.iter().copied().filter(|step| *step <= share).max()?;
        (step > self.told).then(|| {
            self.told = step;
            share
        })
    }
}

/// Steps where there is no limit: a first amount, and each doubling of it.
#[derive(Debug, Default)]
pub(super) struct Doubling {
    next: Option<u64>,
}

impl Doubling {
    /// Whether `used` has come to an amount that was not told yet.
    pub(super) fn step(&mut self, used: u64, first: u64) -> bool {
        let first = first.max(1);
        if used < first / 2 {
            self.next = None;
        }
        let mut next = self.next.unwrap_or(first);
        let due = used >= next;
        while next <= used {
            next = next.saturating_mul(2).max(next.saturating_add(1));
            if next == u64::MAX {
                break;
            }
        }
        self.next = Some(next);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_told_once_and_again_after_calm() {
        let mut ladder = Ladder::default();
        let told: Vec<Option<u64>> =
            [10, 49, 51, 60, 69, 88, 70, 96, 97, 60, 10, 55].into_iter().map(|used| ladder.step(used, 100)).collect();
        let expected = [None, None, Some(51), None, None, Some(88), None, Some(96), None, None, None, Some(55)];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_limit_of_nothing_and_amounts_without_end_are_no_trouble() {
        assert!(Ladder::default().step(u64::MAX, 0).is_some());
        let mut doubling = Doubling::default();
        assert!(doubling.step(u64::MAX, 1));
    }

    #[test]
    fn without_a_limit_each_doubling_is_told_once() {
        let mut doubling = Doubling::default();
        let told: Vec<bool> =
            [5, 10, 12, 19, 20, 90, 100, 160, 3, 11].into_iter().map(|used| doubling.step(used, 10)).collect();
        assert_eq!(told, [false, true, false, false, true, true, false, true, false, true]);
    }
}
