//! What every backend promises.

mod appending;
mod idempotency;
mod opening;
mod reading;
mod snapshots;
mod subscribing;
