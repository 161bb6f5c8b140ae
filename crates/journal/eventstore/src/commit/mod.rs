//! How appends get their places: many in one transaction, decided by one function for both backends.

mod plan;

pub(crate) use plan::{Head, Known, Planned, Row, StoredAppend, plan};
