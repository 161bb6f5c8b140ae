//! Positions and names that every layer speaks of.
//!
//! Nothing here knows a network, a driver or a file. The rule that decides what is applied and what is
//! skipped after a restart stands once, in [`position`].

mod chain;
mod lsn;
mod migration_id;
mod migration_name;
mod name;
pub mod position;
pub mod size;

pub use chain::chain;
pub use lsn::{Lsn, ParseLsnError};
pub use migration_id::{MigrationId, MigrationIdError};
pub use migration_name::{MigrationName, MigrationNameError};
pub use name::{RelationName, quote_identifier, quote_literal};
