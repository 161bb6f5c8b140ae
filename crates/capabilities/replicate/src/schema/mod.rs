//! The target's schema, by pg_dump and pg_restore of the target's own version.
//!
//! pg_restore only writes SQL; the statements run on our own session, each with the row in `atalaya.steps`
//! that says it is done, in one transaction. So a killed run goes on exactly after the last one.

mod addition;
mod archive;
mod builders;
mod clone_states;
mod entry;
mod foreign_key;
mod index_build;
mod plain;
mod private_file;
mod program;
mod roles;
mod scripts;
mod sections;

pub(crate) use addition::Addition;
pub use archive::Ownership;
pub(crate) use archive::{Archive, Dump};
pub(crate) use builders::{Builders, Work};
pub(crate) use foreign_key::{ForeignKeyRestore, restore_foreign_keys};
pub(crate) use index_build::{Announcing, IndexBuild};
pub use plain::schema_as_sql;
pub(crate) use private_file::create_private;
pub(crate) use program::ClientTools;
pub(crate) use roles::{lost_owners, roles_as_sql};
pub(crate) use sections::{LOCK_TIMEOUT, restore_before_data, restore_rest};
