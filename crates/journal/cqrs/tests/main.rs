//! Commands and projections over both backends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod account;
mod commands;
mod exactly_once;
mod ground;
mod inbox;
mod inbox_limits;
mod outbox;
mod poison;
mod rebuilt;
mod table_of;
