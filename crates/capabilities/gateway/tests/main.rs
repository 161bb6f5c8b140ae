//! The gateway between clients that say whatever they like and real servers, or servers that lie.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod admin;
mod bad_input;
mod cancel;
mod faults;
mod gate;
mod login;
mod memory;
mod metrics;
mod pins;
mod pooling;
mod prepared;
mod route;
mod serving;
mod settings;
mod support;
mod tls;
