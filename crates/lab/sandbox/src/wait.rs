//! Waiting, in tests, for what comes without a word: asked for again and again, never slept for and hoped.

use std::time::{Duration, Instant};

/// How slow a machine may be is no test's business.
const LIMIT: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(50);

/// Asks again and again until something holds.
///
/// # Panics
/// When it does not within three minutes, which a test that passes never comes near.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "never came to: {what}");
        std::thread::sleep(PAUSE);
    }
}
