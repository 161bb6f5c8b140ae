//! Transactions that the source sends before they are committed, put together again.
//!
//! From PostgreSQL 14 on the walsender sends what is larger than its `logical_decoding_work_mem` in blocks while it
//! goes on, mixed with other transactions. Each is kept here, in memory up to a bound for all of them and in a file
//! beyond, and leaves as an ordinary transaction when its commit comes: whoever follows the source never sees one
//! that may still be rolled back.
//!
//! Nothing here is durable or has to be: a connection that begins anew is sent every transaction in progress again,
//! and gets a new assembly. The files have no name, so that they end with the process however it ends, and nobody
//! else can open the row values in them.

mod assembled;
mod kept;
mod play;
mod relations;
mod spill;
#[cfg(test)]
mod tests;

pub(crate) use assembled::{Assembly, Held, Taken};
pub(crate) use play::Play;
pub(crate) use spill::SpillOptions;
