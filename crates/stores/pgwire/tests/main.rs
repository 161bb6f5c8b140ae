//! Golden bytes after the manual, and properties of every decoder on arbitrary and on damaged bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test stops at the first surprise"
)]

mod codec;
mod memory;
mod server;
