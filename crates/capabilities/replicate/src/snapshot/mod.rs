//! The snapshot that a copy reads, held open by a process of its own.
//!
//! The holder outlives the run, so that after kill -9 the same command goes on with the same snapshot. It
//! keeps an ordinary transaction open that has imported the slot's snapshot and exports it again.

mod holder;
mod keeper;

pub use holder::HolderCommand;
pub(crate) use holder::{end_orphans, is_held, release, start_holder};
pub use keeper::{HoldRequest, hold};
