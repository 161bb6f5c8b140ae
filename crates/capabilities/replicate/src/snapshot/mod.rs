//! The snapshot that a copy reads, held open by a process of its own.
//!
//! The holder outlives the run, so that after kill -9 the same command goes on with the same snapshot. It
//! keeps an ordinary transaction open that has imported the slot's snapshot and exports it again: on the source, or on a
//! physical standby of it, where rows are read from one. Then it has a session on the source beside, and ends with that:
//! whoever would end a holder needs to know no standby.

mod holder;
mod keeper;
mod reading;
mod standby;

pub use holder::HolderCommand;
pub(crate) use holder::{end_holders, holder_name, is_held, release, start_holder};
pub use keeper::{HoldRequest, hold};
pub(crate) use reading::Reading;
