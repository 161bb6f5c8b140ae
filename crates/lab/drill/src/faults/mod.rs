//! Which faults come when, and how each strikes.
//!
//! Only processes that the drill has started are ever killed, by their id; servers by the sandbox that started them.

mod kind;
mod plan;
mod strike;

pub(crate) use kind::Kind;
pub(crate) use plan::{During, Planned, plan};
pub(crate) use strike::{has_holder, strike, wake};
