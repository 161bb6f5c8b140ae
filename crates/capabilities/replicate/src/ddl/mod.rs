//! Changes of the source's tables while the move runs: noticed before a wrong row is written.
//!
//! pgoutput describes a table before its first change and again after each change of its definition; the
//! description is held against both catalogs. A column that is proven to be alike in every row is made on the target,
//! and so are enum labels; what else differs stops the run. Where an event trigger was asked for, the stream tells of
//! each statement, too.

mod add_columns;
mod announcement;
mod check;
mod definition;
mod described;
mod enums;
mod fitting;
mod judge;
mod partitions;
mod published;
mod statement;
mod table_watch;
pub(crate) mod trigger;

pub(crate) use add_columns::add_columns;
pub(crate) use announcement::{Announcement, DroppedTable, Moment, Rewrite, Touched};
pub(crate) use check::{check_columns, missing_on_target, unknown_relation};
pub(crate) use definition::Definition;
pub(crate) use described::{SourceColumn, SourceTable, Which, describe, describe_one, name_and_file, read_definitions};
pub(crate) use enums::{enum_signature, follow_enums};
pub(crate) use fitting::{refuse_unseen, unseen};
pub(crate) use judge::{Remedy, Unfollowed, gained, is_described_by};
pub(crate) use partitions::{Misplaced, Places, misplaced, refuse_misplaced};
pub(crate) use published::refuse_unpublished;
pub(crate) use table_watch::{TableWatch, refuse_unmoved};
