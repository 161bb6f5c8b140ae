//! Our own schema on the target, `atalaya`: where a migration keeps its progress and is steered.
//!
//! The only authority for a position is the table `atalaya.progress`, written in the transaction that
//! applies the changes. Nothing here is ever written to the source.

mod fence;
mod schema;

pub use fence::FenceRequest;
pub use schema::{drop_schema, install_schema, is_installed};
