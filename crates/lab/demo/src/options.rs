//! What a demo is asked to be.

use std::path::PathBuf;
use std::time::Duration;

/// How the demo is played.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program whose verbs are shown.
    pub program: PathBuf,
    /// The folder below which servers and state live until the demo ends.
    pub folder: PathBuf,
    /// The old server's major version.
    pub from: u16,
    /// The new server's major version.
    pub to: u16,
    /// Bytes of the shop with its indexes.
    pub bytes: u64,
    /// Transactions a second that the clients begin, all together.
    pub rate: u32,
    /// The clients, each with a connection of its own.
    pub clients: u32,
    /// How long clients may be held while they are led elsewhere.
    pub max_pause: Duration,
}

/// Free bytes that a byte of the shop needs: both sides, and the log of both.
const DISK_FACTOR: u64 = 4;
/// What two empty servers and their logs need.
const DISK_FIXED: u64 = 500_000_000;

impl Options {
    /// Free bytes of disk that the demo needs at most.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.bytes.saturating_mul(DISK_FACTOR).saturating_add(DISK_FIXED)
    }

    /// The least mean of commits a second that the demo calls a success: 500, or what was asked for where that is
    /// less, less the transactions that the clients roll back on purpose and what a busy machine takes.
    #[must_use]
    pub fn commits_per_second_min(&self) -> f64 {
        const WANTED: u32 = 500;
        if self.rate >= WANTED { f64::from(WANTED) } else { f64::from(self.rate) * 0.9 }
    }
}
