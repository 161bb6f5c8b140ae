//! What the target knows of the migration: the only authority to resume from.

mod guard;
mod received;
mod store;
mod tables;

pub(crate) use guard::{check_position, check_source, wait_for_slot};
pub(crate) use received::{Received, SpoolFigures};
pub use store::GivenUp;
pub(crate) use store::{Migration, Phase, SchemaChoice, Store, StoredBackend, StoredSnapshot};
pub(crate) use tables::{Reassigned, TableRow};
