//! Words shared by parts that steer each other.

mod fence;
pub mod touched;

pub use fence::{FenceState, REPLICATOR_CHANNEL, REQUESTER_CHANNEL};
