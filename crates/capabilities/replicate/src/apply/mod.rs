//! Writes changes to the target: in the source's commit order, grouped, folded, exactly once.
//!
//! A group is one transaction of the target; it begins with the marker, ends with the position, and may hold
//! many transactions of the source or a part of one. Within a group, changes are first tried the fast way
//! (folded by key, one statement for many rows); when that meets a unique key or misses a row, the part is
//! rolled back to its savepoint and applied change by change in the source's order, which decides whether
//! there is a conflict.

mod change;
mod copy_text;
mod fold;
mod folded;
mod group;
mod look;
mod multiset;
mod ordered;
mod prepared;
mod settle;
mod statements;
mod stop;
mod table;
mod taken;
mod truncate;
mod value;

pub(crate) use change::{Change, ChangeKind};
pub(crate) use group::{Applier, ApplySettings, GroupPosition};
pub(crate) use table::{Mapping, TableSet, TargetTable};
pub(crate) use value::output_sql;
