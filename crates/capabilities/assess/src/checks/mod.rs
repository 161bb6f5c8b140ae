//! The registry: every check, in the order of the report. One file a family.

mod capacity;
mod identity;
mod privileges;
mod support;
mod tables;
mod versions;
mod wal;

mod registry;

pub use registry::{ALL, find};
