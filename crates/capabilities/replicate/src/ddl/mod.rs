//! Changes of the source's tables while the move runs: noticed before a wrong row is written.
//!
//! pgoutput describes a table before its first change and again after each change of its definition; the
//! description is held against the target's catalog. What differs stops the run.

mod check;
mod definition;
mod partitions;
mod published;
mod table_watch;

pub(crate) use check::{check_columns, missing_on_target, unknown_relation};
pub(crate) use definition::Definition;
pub(crate) use partitions::refuse_other_trees;
pub(crate) use published::refuse_unpublished;
pub(crate) use table_watch::{TableWatch, refuse_unmoved};
