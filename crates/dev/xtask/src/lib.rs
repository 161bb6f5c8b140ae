//! Architecture test and generated reference; never shipped.
//!
//! A library, so that `cargo test` runs the same checks as `cargo xtask`.

pub mod architecture;
mod child;
pub mod reference;

pub use child::ChildError;
