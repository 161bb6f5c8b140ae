//! What clients that nobody here wrote say of a server, and how two of them differ.
//!
//! The tests run the same programs (`programs`, one folder a client) against a server and through the gateway, and
//! compare what they print. Nothing here knows the gateway: a difference is a finding, and never explained away.

mod differences;
mod mask;
mod report;

pub use differences::{differences, unified, unified_but_for};
pub use mask::masked;
pub use report::{Report, ReportError};
