//! The handle of a journal.

use std::sync::Arc;
use std::time::Duration;

use crate::backend::Backend;

/// How a journal is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most appends that may wait for the writer; beyond it they are refused.
    pub queue: usize,
    /// The most events that the writer puts into one transaction.
    pub group_events: usize,
    /// How long another process may hold the journal's head before an append fails.
    pub lock_limit: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { queue: 1024, group_events: 4096, lock_limit: Duration::from_secs(30) }
    }
}

/// A journal. Cheap to clone; all clones share one writer.
#[derive(Clone)]
pub struct Store {
    #[expect(dead_code, reason = "the writer and the reads come next")]
    backend: Arc<dyn Backend>,
}
