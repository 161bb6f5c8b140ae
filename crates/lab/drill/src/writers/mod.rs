//! Clients that change the clone's tables while it is moved: rows inserted, changed, given other keys, deleted, whole
//! tables emptied; in transactions with savepoints, some of them rolled back.
//!
//! They write to the source directly, past the proxy. What they were told is counted; what is right is the source.

mod client;
mod statements;

pub(crate) use client::Writers;
pub(crate) use statements::{Statements, statements};
