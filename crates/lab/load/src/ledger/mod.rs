//! The ledger: a workload whose clients remember what they were told, and check afterwards that a server
//! holds exactly that.
//!
//! Double-entry bookkeeping in the schema `ledger`: every transaction of a client inserts one transfer under
//! an id that the client made, books its two entries and changes two balances; beside it most do something in
//! the shop. A transfer that a client was told committed must be there once, one that failed must not, one
//! whose `COMMIT` got no answer may be there at most once. That holds on any server the tables were moved to.

mod client;
mod counts;
mod deck;
mod outcome;
mod plan;
mod prepare;
mod ranges;
mod reconcile;
mod record;
mod run;
mod statements;
mod timeline;

pub use counts::LedgerCounts;
pub use prepare::LedgerSize;
pub use ranges::NumberRanges;
pub use reconcile::{Reconciliation, Samples};
pub use record::{ClientRecord, LedgerRecord};
pub use run::{Ledger, LedgerOptions, LedgerRun};
pub use timeline::Timeline;
