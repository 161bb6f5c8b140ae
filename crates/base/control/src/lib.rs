//! Words shared by parts that steer each other.

mod failpoint;
mod fence;
pub mod touched;

pub use failpoint::Failpoints;
pub use fence::{FenceState, REPLICATOR_CHANNEL, REQUESTER_CHANNEL};
