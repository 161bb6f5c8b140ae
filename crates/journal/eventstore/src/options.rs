//! How a journal is used.

use std::time::Duration;

use crate::Upcasters;

/// How a journal is used; the defaults suit a service.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most appends that may wait for the writer; further ones wait to get in.
    pub queue: usize,
    /// How long an append waits to get in before it is refused as too many.
    pub queue_limit: Duration,
    /// The most events that the writer puts into one transaction.
    pub group_events: usize,
    /// The most bytes of data that it puts into one; a single append may bring more.
    pub group_bytes: usize,
    /// How long another process may hold the journal's head before an append fails. One that holds it without doing
    /// anything, frozen for instance, loses it after half of this in Postgres.
    pub lock_limit: Duration,
    /// How long a lost connection to Postgres is tried to be had again before an append or a read fails.
    pub reconnect_limit: Duration,
    /// How many connections read.
    pub readers: usize,
    /// What brings events of older shapes up to date.
    pub upcasters: Upcasters,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue: 1024,
            queue_limit: Duration::from_secs(30),
            group_events: 4096,
            group_bytes: 16 << 20,
            lock_limit: Duration::from_secs(30),
            reconnect_limit: Duration::from_secs(30),
            readers: 4,
            upcasters: Upcasters::new(),
        }
    }
}
