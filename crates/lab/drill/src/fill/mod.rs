//! Made-up rows for every table, by SQL inside the server: the same seed makes the same rows.
//!
//! No constraint is switched off for good: rows that a constraint refuses are tried with other values, and a table for
//! which none is found stays empty and is told.

mod candidates;
mod catalog;
mod column;
mod insert;
mod kinds;
mod order;
mod rows;
mod values;

pub(crate) use catalog::read_tables;
pub(crate) use column::Plan;
pub(crate) use insert::{Moment, between, insert_sql};
pub(crate) use rows::{Filled, fill};
