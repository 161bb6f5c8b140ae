//! What happened, in numbers: counters and histograms that cost an atomic addition each.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets by powers of two of microseconds; the last holds all that is longer.
pub(crate) const BUCKETS: usize = 28;

/// A number that only grows.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Durations, counted by their size.
#[derive(Default)]
pub(crate) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum_microseconds: AtomicU64,
}

impl Histogram {
    pub(crate) fn add(&self, duration: Duration) {
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let place = (u64::BITS - microseconds.leading_zeros()) as usize;
        if let Some(bucket) = self.buckets.get(place.min(BUCKETS - 1)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    /// Counts by bucket; bucket `n` holds durations below `2^n` microseconds that no earlier one holds.
    pub(crate) fn counts(&self) -> [u64; BUCKETS] {
        std::array::from_fn(|place| self.buckets.get(place).map_or(0, |bucket| bucket.load(Ordering::Relaxed)))
    }

    pub(crate) fn sum_seconds(&self) -> f64 {
        Duration::from_micros(self.sum_microseconds.load(Ordering::Relaxed)).as_secs_f64()
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts().iter().sum()
    }

    /// The upper end of the bucket in which this share of all lies, in microseconds; 0 when there are none.
    pub(crate) fn quantile_microseconds(&self, share: f64) -> u64 {
        let counts = self.counts();
        let all: u64 = counts.iter().sum();
        let mut seen = 0;
        for (place, count) in counts.iter().enumerate() {
            seen += count;
            if all > 0 && u64_to_f64(seen) >= share * u64_to_f64(all) {
                return 1 << place;
            }
        }
        0
    }
}

fn u64_to_f64(number: u64) -> f64 {
    // Exact enough for shares of counts.
    Duration::from_micros(number).as_secs_f64() * 1e6
}

/// One database's numbers since the gateway began.
#[derive(Default)]
pub(crate) struct DatabaseStatistics {
    pub(crate) clients: AtomicU64,
    pub(crate) logins: Counter,
    pub(crate) logins_refused: Counter,
    pub(crate) transactions: Counter,
    pub(crate) queries: Counter,
    pub(crate) bytes_from_clients: Counter,
    pub(crate) bytes_to_clients: Counter,
    pub(crate) refused_for_waiting: Counter,
    pub(crate) pins: Counter,
    pub(crate) probes: Counter,
    pub(crate) ended_at_server_change: Counter,
    pub(crate) transaction_time: Histogram,
    pub(crate) wait_time: Histogram,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_their_bucket() {
        let histogram = Histogram::default();
        for microseconds in [0, 1, 3, 1_000, u64::MAX] {
            histogram.add(Duration::from_micros(microseconds));
        }
        let counts = histogram.counts();
        assert_eq!((counts[0], counts[1], counts[2], counts[10], counts[BUCKETS - 1]), (1, 1, 1, 1, 1));
        assert_eq!(histogram.quantile_microseconds(0.5), 4);
    }
}
