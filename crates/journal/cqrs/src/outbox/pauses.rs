//! How long a relay waits before it asks the broker again. There is always another attempt, and never a wait without an end.

use std::time::Duration;

/// A pause of nothing would ask without pause for as long as the broker is away.
const SHORTEST: Duration = Duration::from_millis(1);

/// Pauses that double with each failure, up to a longest one.
#[derive(Debug)]
pub(super) struct Pauses {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Pauses {
    /// Also where the options are at odds: the longest pause is what holds.
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        let longest = longest.max(SHORTEST);
        let first = first.clamp(SHORTEST, longest);
        Self { first, longest, next: first }
    }

    /// The broker has taken something: the next failure is a first one.
    pub(super) fn start_over(&mut self) {
        self.next = self.first;
    }

    /// The pause after one more failure.
    pub(super) fn after_failure(&mut self) -> Duration {
        let longer = self.next.saturating_mul(2).min(self.longest);
        std::mem::replace(&mut self.next, longer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::RelayOptions;

    const DAY: Duration = Duration::from_secs(86_400);

    fn of_defaults() -> Pauses {
        let options = RelayOptions::default();
        Pauses::new(options.backoff, options.backoff_max)
    }

    /// Attempts of a day that each take so long until they fail, and the longest time from one's end to the next.
    fn attempts_of_a_day(takes: Duration) -> (u32, Duration) {
        let (mut pauses, mut attempts, mut at, mut longest) = (of_defaults(), 0, Duration::ZERO, Duration::ZERO);
        while at < DAY {
            let pause = pauses.after_failure();
            (attempts, at, longest) = (attempts + 1, at + takes + pause, longest.max(pause));
        }
        (attempts, longest)
    }

    #[test]
    fn a_relay_asks_all_day_and_never_waits_longer_than_half_a_minute() {
        // 100 ms to 25.6 s in nine pauses, then one each 30 s.
        assert_eq!(attempts_of_a_day(Duration::ZERO), (9 + 2879, Duration::from_secs(30)));
        // Where each attempt is one that waits for an answer in vain.
        let limit = RelayOptions::default().publish_limit;
        assert_eq!(attempts_of_a_day(limit), (9 + 2466, Duration::from_secs(30)));
    }

    #[test]
    fn a_broker_that_took_something_is_asked_again_soon() {
        let mut pauses = of_defaults();
        for _ in 0..100 {
            pauses.after_failure();
        }
        pauses.start_over();
        assert_eq!(pauses.after_failure(), Duration::from_millis(100));
    }

    #[test]
    fn no_options_make_it_ask_without_pause_or_wait_for_longer_than_the_longest() {
        let some = [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(7), Duration::MAX];
        for (first, longest) in some.iter().flat_map(|first| some.map(|longest| (*first, longest))) {
            let mut pauses = Pauses::new(first, longest);
            let mut last = Duration::ZERO;
            for _ in 0..200 {
                let pause = pauses.after_failure();
                assert!(pause >= SHORTEST && pause <= longest.max(SHORTEST) && pause >= last, "{first:?} {longest:?}");
                last = pause;
            }
            assert!(last == longest.max(SHORTEST) || longest == Duration::MAX, "{first:?} {longest:?}");
        }
    }
}
