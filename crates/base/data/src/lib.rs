//! Positions and names that every layer speaks of.
//!
//! Nothing here knows a network, a driver or a file. The rule that decides what is applied and what is
//! skipped after a restart stands once, in [`position`].

mod lsn;
mod name;
pub mod position;
pub mod size;

pub use lsn::{Lsn, ParseLsnError};
pub use name::{RelationName, quote_identifier, quote_literal};
