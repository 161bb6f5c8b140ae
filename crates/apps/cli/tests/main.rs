//! The built program against real servers, as a DBA runs it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may stop at the first surprise"
)]

mod demo;
mod finish;
mod groups;
mod keyless;
mod lifecycle;
mod moves;
mod support;
