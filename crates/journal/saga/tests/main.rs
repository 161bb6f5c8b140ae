//! Sagas over both backends, with real kills of real processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod answers;
mod child;
mod clocks;
mod definitions;
mod forward;
mod ground;
mod kills;
mod operators;
mod target;
mod undone;
