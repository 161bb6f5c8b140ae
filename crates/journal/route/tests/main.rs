//! Routes over both backends, with processes that decide at once.
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
mod deciding;
mod groups;
mod opening;
mod races;
