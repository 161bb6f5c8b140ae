//! kill -9 at named places, then the same command: nothing is lost, nothing is done twice.
//!
//! A kill counts only when the process died by signal 9 and the target's own rows prove that the phase was
//! reached and not finished; both are asserted for every one.

mod apply;
mod copy;
pub(crate) mod field;
mod foreign_keys;
pub(crate) mod holder;
mod servers;
mod soak;
mod steps;
