//! Following the source: arrivals become groups, groups become positions, positions are acknowledged.

mod acknowledge;
mod activity;
mod announced;
mod append_only;
mod bind;
mod echo;
mod numbers;
mod redefined;
mod seen;
mod state;
mod trees;
mod turn;

pub(crate) use append_only::{counts as append_only_counts, store_counts};
pub(crate) use state::{Ended, Follower, Opened, may_be_replica};
