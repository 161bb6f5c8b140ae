//! A migration in a real journal, on both backends; what is done to servers is a test's own hand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod ground;
mod operations;
mod standings;
