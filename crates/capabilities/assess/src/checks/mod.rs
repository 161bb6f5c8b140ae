//! The registry: every check, in the order of the report. One file a family.

mod activity;
mod capacity;
mod collations;
mod conflicts;
mod event_trigger;
mod extensions;
mod identity;
mod objects;
mod privileges;
mod registry;
mod roles;
mod row_security;
mod standby;
mod support;
mod tables;
mod target;
mod triggers;
mod versions;
mod wal;

pub use registry::{ALL, find};
