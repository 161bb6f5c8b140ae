//! The shop, a generated database with every kind of table, and the ledger, a workload that knows afterwards
//! which of its transactions a server must hold.
//!
//! Both speak to any server through [`atalaya_postgres::Session`] and need no more than the ownership of a
//! database: tests, benches and the demo move what they make.

pub mod chinook;
mod error;
pub mod ledger;
pub mod shop;

pub use error::Error;
