//! The gateway tried with clients that nobody here wrote: what they are told through it equals what a direct connection
//! tells them.
//!
//! Each client has a program in `programs` that runs named scenarios and prints their results. The tests here run it
//! directly and through the gateway, in both pooling modes, alone and in several copies that share few servers, and
//! compare scenario by scenario. A difference fails. What the gateway means to do otherwise is in no program, but in tests
//! of its own; for the regression SQL, which is not ours to change, it is the list `BY_DESIGN`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may stop at the first surprise"
)]

mod harness;
mod suites;
