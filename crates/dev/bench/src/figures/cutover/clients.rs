//! What is seen of the clients while they are led: that they work, and that they are held.

use std::thread;
use std::time::{Duration, Instant};

use atalaya_load::ledger::LedgerRun;

use crate::error::Error;

/// A second's commits.
const COMMITS: u64 = 1000;
const LIMIT: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Clients that commit every millisecond and have not for so long are held.
const HELD: Duration = Duration::from_millis(300);

/// Clients that work are what a pause is measured under.
pub(super) fn until_they_work(run: &LedgerRun) -> Result<(), Error> {
    let (begun, before) = (Instant::now(), run.counts().committed);
    while run.counts().committed < before + COMMITS {
        if begun.elapsed() > LIMIT {
            return Err(Error::OtherWork(format!("clients stand still: {:?}", run.counts())));
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Waits until nobody commits any more.
pub(super) fn until_they_are_held(run: &LedgerRun) -> Result<(), Error> {
    let begun = Instant::now();
    let (mut committed, mut since) = (run.counts().committed, begun);
    while since.elapsed() < HELD {
        if begun.elapsed() > LIMIT {
            return Err(Error::OtherWork(format!("clients were never held: {:?}", run.counts())));
        }
        thread::sleep(LOOK_EVERY);
        let now = run.counts().committed;
        if now != committed {
            (committed, since) = (now, Instant::now());
        }
    }
    Ok(())
}
