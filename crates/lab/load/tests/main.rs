//! The shop, the ledger and Chinook on real servers, as an owner that is no superuser.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod chinook;
mod lab;
mod ledger;
mod reconcile;
mod shop;
