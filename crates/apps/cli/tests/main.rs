//! The built program against real servers, as a DBA runs it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may stop at the first surprise"
)]

mod append_only;
mod busy;
mod chinook;
mod ends;
mod faults;
mod held;
mod kills;
mod lifecycle;
mod managed;
mod moves;
mod proof;
mod schema;
mod sequences;
mod settings;
mod shops;
mod snapshot_age;
mod status;
mod support;
mod values;
mod writes;
