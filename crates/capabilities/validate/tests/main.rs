//! Validation between real servers of the oldest and the newest version.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may stop at the first surprise"
)]

mod looks;
mod methods;
mod planted;
mod rewritten;
mod shapes;
mod support;
mod types;
