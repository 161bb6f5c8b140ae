//! Live numbers of a run, cheap enough to be kept at every transaction.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::Timeline;
use super::outcome::Outcome;

/// What a run has done until now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LedgerCounts {
    /// Transactions whose client was told that they committed.
    pub committed: u64,
    /// Transactions that a server refused.
    pub failed: u64,
    /// Transactions that their plan rolled back.
    pub rolled_back: u64,
    /// Transactions without an answer.
    pub unknown: u64,
    /// Connections made after the first of each client.
    pub reconnects: u64,
    /// Clients that gave up because no connection could be had for too long.
    pub gave_up: u64,
    /// Milliseconds since the start.
    pub elapsed_ms: u64,
    /// Commits in the last full second.
    pub per_second: u64,
    /// Commits in the slowest full second after the first.
    pub per_second_min: u64,
    /// The longest time between two commits of any clients, in microseconds: what a pause looks like from outside.
    pub pause_max_us: u64,
    /// The longest time from `BEGIN` to the answer of `COMMIT`, in microseconds.
    pub latency_max_us: u64,
    /// 99 of 100 commits were at most this slow, in microseconds; exact to an eighth.
    pub latency_p99_us: u64,
}

/// Eight buckets for each power of two of microseconds: up to 2^40 us.
const BUCKETS: usize = 8 * 38;
/// Seconds that are remembered one by one; a longer run counts on in the last.
const SECONDS: usize = 86_400;

/// The shared side of [`LedgerCounts`].
pub(super) struct Meter {
    started: Instant,
    failed: AtomicU64,
    rolled_back: AtomicU64,
    unknown: AtomicU64,
    reconnects: AtomicU64,
    gave_up: AtomicU64,
    commits: Mutex<Commits>,
}

struct Commits {
    per_second: Vec<u32>,
    latency: Vec<u64>,
    latency_max: Duration,
    last: Duration,
    pause_max: Duration,
    committed: u64,
    timeline: Timeline,
}

impl Meter {
    pub(super) fn new() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let began_at_us = i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX);
        Self {
            started: Instant::now(),
            failed: AtomicU64::new(0),
            rolled_back: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
            gave_up: AtomicU64::new(0),
            commits: Mutex::new(Commits {
                per_second: Vec::new(),
                latency: vec![0; BUCKETS],
                latency_max: Duration::ZERO,
                last: Duration::ZERO,
                pause_max: Duration::ZERO,
                committed: 0,
                timeline: Timeline { began_at_us, ..Timeline::default() },
            }),
        }
    }

    pub(super) fn count(&self, outcome: Outcome, latency: Duration) {
        let counter = match outcome {
            Outcome::Committed => {
                let at = self.started.elapsed();
                let mut commits = self.lock();
                commits.add(at, latency);
                return;
            }
            Outcome::RolledBack => &self.rolled_back,
            Outcome::Failed => &self.failed,
            Outcome::Unknown => &self.unknown,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn reconnected(&self) {
        self.reconnects.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn gave_up(&self) {
        self.gave_up.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> LedgerCounts {
        let elapsed = self.started.elapsed();
        let commits = self.lock();
        let full_seconds = usize::try_from(elapsed.as_secs()).unwrap_or(SECONDS);
        let waiting = match commits.committed {
            0 => Duration::ZERO,
            _ => elapsed.saturating_sub(commits.last),
        };
        let second = |at: usize| u64::from(commits.per_second.get(at).copied().unwrap_or(0));
        LedgerCounts {
            committed: commits.committed,
            failed: self.failed.load(Ordering::Relaxed),
            rolled_back: self.rolled_back.load(Ordering::Relaxed),
            unknown: self.unknown.load(Ordering::Relaxed),
            reconnects: self.reconnects.load(Ordering::Relaxed),
            gave_up: self.gave_up.load(Ordering::Relaxed),
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            per_second: full_seconds.checked_sub(1).map_or(0, second),
            per_second_min: (1..full_seconds.min(SECONDS)).map(second).min().unwrap_or(0),
            pause_max_us: micros(commits.pause_max.max(waiting)),
            latency_max_us: micros(commits.latency_max),
            latency_p99_us: commits.quantile(0.99),
        }
    }

    pub(super) fn timeline(&self) -> Timeline {
        self.lock().timeline.clone()
    }

    /// A panic while counting leaves numbers that are still numbers.
    fn lock(&self) -> std::sync::MutexGuard<'_, Commits> {
        self.commits.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Commits {
    fn add(&mut self, at: Duration, latency: Duration) {
        if self.committed > 0 {
            self.pause_max = self.pause_max.max(at.saturating_sub(self.last));
        }
        self.committed += 1;
        self.timeline.add(at, latency);
        self.last = self.last.max(at);
        self.latency_max = self.latency_max.max(latency);
        let second = usize::try_from(at.as_secs()).unwrap_or(SECONDS).min(SECONDS - 1);
        if self.per_second.len() <= second {
            self.per_second.resize(second + 1, 0);
        }
        if let Some(count) = self.per_second.get_mut(second) {
            *count += 1;
        }
        if let Some(count) = self.latency.get_mut(bucket(micros(latency))) {
            *count += 1;
        }
    }

    fn quantile(&self, part: f64) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank among commits, not money"
        )]
        let rank = (self.committed as f64 * part).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.latency.iter().enumerate() {
            seen += count;
            if seen >= rank && rank > 0 {
                return bucket_end(index);
            }
        }
        0
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The bucket of a latency: its power of two, and the three bits after its highest.
fn bucket(micros: u64) -> usize {
    let value = micros.max(8);
    let power = value.ilog2();
    let eighth = (value >> (power - 3)) & 7;
    let index = u64::from(power - 3) * 8 + eighth;
    usize::try_from(index).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The largest latency that falls into the bucket.
fn bucket_end(index: usize) -> u64 {
    let power = index / 8;
    let eighth = u64::try_from(index % 8).unwrap_or(0);
    ((8 + eighth + 1) << power) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_is_at_most_an_eighth_below_its_buckets_end() {
        for micros in [8, 9, 15, 16, 17, 100, 999, 1_000, 123_456, 30_000_000] {
            let end = bucket_end(bucket(micros));
            assert!(end >= micros && end - micros <= micros / 8, "{micros}: {end}");
        }
    }

    #[test]
    fn the_99th_percentile_leaves_out_one_in_a_hundred() {
        let meter = Meter::new();
        for _ in 0..99 {
            meter.count(Outcome::Committed, Duration::from_micros(500));
        }
        meter.count(Outcome::Committed, Duration::from_secs(1));
        let counts = meter.counts();
        assert!((500..600).contains(&counts.latency_p99_us), "{counts:?}");
        assert_eq!(counts.latency_max_us, 1_000_000);
        assert_eq!(counts.committed, 100);
    }
}
