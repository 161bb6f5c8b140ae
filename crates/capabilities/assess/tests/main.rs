//! The checks against real servers: each fires where it must and is quiet where it must, none alters anything.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod cases;
mod coverage;
mod identities;
mod roles;
mod support;
mod untouched;
