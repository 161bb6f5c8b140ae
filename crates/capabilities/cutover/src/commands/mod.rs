//! Clients led by commands of the operator's, where no gateway stands before the servers: a change of DNS, of PgBouncer's
//! file, of a service file.
//!
//! The decision is the journal's as ever, and the fence is what keeps two servers from being written to. What a gateway does
//! besides, nobody does here: clients are held only where a command does it, and when the coordinator is gone nobody closes
//! its epoch or lifts its fence until the same course is taken again. So each command may be run more than once, and has to
//! be harmless then.

mod gate;
mod options;
mod run;

pub use gate::{CommandGate, Commands};
pub use options::{COMMANDS, has_gateways, options_of};
