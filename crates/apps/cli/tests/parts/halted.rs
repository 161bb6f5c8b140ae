//! A coordinator that is halted in the middle, on a machine of any speed.

use std::time::{Duration, Instant};

use super::ground::Parts;
use crate::support::{Ran, Running, eventually};

/// For how long a coordinator keeps what it was doing, as `atalaya-cutover` has it. One that was halted for longer takes what
/// it has left for another one's when it goes on: it lets clients go on where they are.
const KEPT: Duration = Duration::from_secs(5);
/// Longer than any machine needs to come to a place.
const PAUSE_SECONDS_MAX: u32 = 300;

impl Parts {
    /// Starts a coordinator that halts at a place, and waits until it does. The gates' lease is seven eighths of its longest pause,
    /// and it has to come there within that: a machine that is too slow for it is given twice as long, until it is not.
    pub(super) fn halted(&self, words: &[&str], place: &str, pause_seconds: u32) -> Running {
        let max_pause = format!("{pause_seconds}s");
        let mut running = self.spawn(&self.course(words, &max_pause), &format!("{place}:1:stop"));
        let mut is_over = false;
        eventually("halted at a failpoint", || {
            is_over = !running.is_running();
            is_over || running.is_halted()
        });
        if !is_over {
            return running;
        }
        let ended = running.wait();
        let said = format!("{place} within {max_pause}: {:?} {}\n{}", ended.code, ended.stdout, ended.stderr);
        assert!(is_too_late(&ended) && pause_seconds < PAUSE_SECONDS_MAX, "{said}");
        self.assert_served_by(self.led_to(), &said);
        self.halted(words, place, pause_seconds * 2)
    }
}

/// Whether a command was broken off since it took too long: by itself, or by a gate at the end of its lease.
fn is_too_late(ended: &Ran) -> bool {
    let told = ["longest pause", "lease"];
    ended.code == Some(1) && told.iter().any(|told| ended.stderr.contains(told))
}

/// Does something again and again until a coordinator that was halted at a time has lost what it was doing.
pub(super) fn until_it_is_kept_no_longer(halted_at: Instant, mut meanwhile: impl FnMut()) {
    while halted_at.elapsed() <= KEPT {
        meanwhile();
    }
}
