//! The way back: changes of the new server followed to the old one, so that clients may be led back without a copy.
//!
//! It is an ordinary migration whose row stands on the old server, under the same name, and whose tables count as copied
//! at the position of its slot: until clients are led over, nobody but the move itself writes to the new server. Both
//! directions run in one process. Only one side is written to at a time, and each direction drops the transactions that
//! the other one has written (`follow/echo`), so that nothing goes round.
//!
//! An application works on the old server, so nothing of its is ever switched off, emptied or made anew here.

mod alone;
mod beside;
mod check;
mod make;
mod pair;
mod plan;
mod publish;
mod remove;
mod status;

pub(crate) use beside::run_beside;
pub use make::make_way_back;
pub use pair::Side;
pub(crate) use pair::{Pair, refuse_led_over, refuse_taken_name, serving, slot, write_serving};
pub use remove::remove_way_back;
pub(crate) use remove::{forget_without_target, remove_between};
pub use status::{WayBackState, WayBackStatus, way_back_status};
