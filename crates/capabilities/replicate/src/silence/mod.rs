//! Triggers and rules of tables that the target has already: off while rows come, then exactly as before.
//!
//! What one was is written down in the transaction that switches it off, and forgotten in the one that sets it back, so
//! that a kill leaves both or neither. What somebody else has changed meanwhile is told and never overwritten. Triggers
//! of foreign keys stay what they are: to switch them off takes a superuser, and would leave the key unproven.

mod actor;
mod clones;
mod off;
mod set_back;
mod watch;

pub(crate) use actor::{Fires, Writers};
pub(crate) use off::{ForeignKeys, refuse_on_way_back, switch_off, would_act};
pub(crate) use set_back::{SetBack, set_back, whatever_is_off, would_set_back};
pub(crate) use watch::SilenceWatch;
