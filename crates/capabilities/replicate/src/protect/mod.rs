//! What keeps a move from harming its source: the log that the slot retains, and how much of the source is taken.
//!
//! The source's disk comes before the move: a slot that keeps too much is given up. Nothing here touches a user's
//! table.

mod connections;
mod give_up;
mod ladder;
mod retained;

pub(crate) use connections::workers_within;
pub(crate) use give_up::{give_up, refuse_given_up};
pub(crate) use retained::{SlotName, TooMuch, watch};
