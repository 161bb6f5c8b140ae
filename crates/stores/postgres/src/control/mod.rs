//! Our own schema on the target, `atalaya`: where a migration keeps its progress and is steered.
//!
//! The only authority for a position is the table `atalaya.progress`, written in the transaction that
//! applies the changes. It stands on the source as well once a way back is made, since that is then a target, too.

mod client_fence;
mod fence;
mod marker;
mod notes;
mod question;
mod schema;

pub use client_fence::{ClientFence, client_fence, lift_client_fence};
pub use fence::FenceRequest;
pub use marker::{MarkerAnswer, MarkerPassed, pass_marker};
pub use notes::{NotesAnswer, renew_notes};
pub use schema::{drop_schema, install_schema, is_installed};
