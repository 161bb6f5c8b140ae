//! Large objects, where somebody asked for them: brought over once, and compared at the end.
//!
//! The stream of changes does not hold them, so one that changes during the move makes `finish` refuse; brought again
//! after the writers have stopped, they are equal. Never removes one that only the target has.

mod bring;
mod listing;

pub(crate) use bring::{are_there, bring, refuse_different};
