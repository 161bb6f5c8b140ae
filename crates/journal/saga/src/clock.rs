//! Waits by the database's clock.

use std::time::{Duration, Instant};

use atalaya_eventstore::Store;

use crate::Error;
use crate::state::State;

/// The database's clock, carried on by this machine's monotonic one: a clock that is set back does not matter here.
pub(crate) struct Clock {
    read_us: i64,
    read_at: Instant,
}

impl Clock {
    pub(crate) async fn read(store: &Store) -> Result<Self, Error> {
        // Before the question: what is added to the answer later is rather too much than too little.
        let read_at = Instant::now();
        Ok(Self { read_us: store.now_us().await?, read_at })
    }

    pub(crate) fn now_us(&self) -> i64 {
        self.read_us.saturating_add(i64::try_from(self.read_at.elapsed().as_micros()).unwrap_or(i64::MAX))
    }
}

/// How long somebody else may have it still.
pub(crate) fn owned_for(state: &State, us: &str, clock: &Clock) -> Option<Duration> {
    let until_us = state.leased_until_us().filter(|_| state.owner.as_deref() != Some(us))?;
    Some(wait(until_us, clock)).filter(|wait| !wait.is_zero())
}

/// How long until then; nothing where it has passed.
pub(crate) fn wait(until_us: i64, clock: &Clock) -> Duration {
    Duration::from_micros(u64::try_from(until_us.saturating_sub(clock.now_us())).unwrap_or(0))
}
