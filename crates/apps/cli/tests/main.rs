//! The built program against real servers, as a DBA runs it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may stop at the first surprise"
)]

mod announced;
mod append_only;
mod busy;
mod certificates;
mod checks;
mod chinook;
mod conflict;
mod cutover;
mod cutover_managed;
mod demo;
mod drill;
mod ends;
mod environment;
mod faults;
mod finish;
mod gateway;
mod gateway_restarts;
mod groups;
mod held;
mod indexes;
mod journal;
mod keyless;
mod kills;
mod large_objects;
mod lifecycle;
mod locks;
mod logging;
mod managed;
mod markers;
mod moves;
mod nasty;
mod odd;
mod parts;
mod plans;
mod proof;
mod protection;
mod redefinition;
mod routes;
mod schema;
mod schema_differences;
mod secrets;
mod sequences;
mod settings;
mod shops;
mod snapshot_age;
mod spool;
mod standby;
mod status;
mod stopping;
mod stored;
mod support;
mod switch_command;
mod terminal;
mod touched;
mod transactions;
mod trees;
mod values;
mod way_back;
mod writes;
