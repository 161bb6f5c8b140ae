//! The gateway between clients and one server, beside pgbouncer and beside a direct connection.
//!
//! All three ways lead to the same database of the same server, ask for the same user's password by SCRAM, and are measured
//! in turns. Client, gateway and server share the machine's cores, so a figure tells how they do together, never what a
//! gateway could do on a machine of its own.

pub(super) mod bulk;
mod certificate;
mod client;
pub(super) mod idle;
pub(super) mod latency;
mod ours;
mod pgbench;
mod pgbouncer;
mod share;
mod skim;
pub(super) mod threads;
pub(super) mod throughput;
mod ways;

/// Direct clients have no pool before them; both pools keep their sessions between turns.
pub(super) const SETTINGS: [(&str, &str); 1] = [("max_connections", "700")];
