//! The journal of a command, and what commands write to it.

mod cutovers;
mod engines;
mod moving;
mod observing;
mod open;
mod proofs;
mod who;

pub(crate) use cutovers::{cutovers, cutovers_in};
pub(crate) use engines::{Finishing, Withdrawing, removed};
pub(crate) use moving::{known_of, note, subject_of};
pub(crate) use observing::{Observing, outcome_of};
pub(crate) use open::Journal;
pub(crate) use proofs::proven;
pub(crate) use who::{Who, stamp, when};
