//! The journal's contract: one suite, run on every backend.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

#[macro_use]
mod ground;
mod child;
mod contract;
mod faults;
mod making;
mod proofs;
