//! What a cutover needs of gateways and of the replicator, from what this program has of both.

mod gates;
mod streams;

pub(crate) use gates::AdminGate;
pub(crate) use streams::Streams;
