//! The wire connection: login, copies, replication.

mod arbitrary;
mod copy;
mod interrupted;
mod login;
mod replication;
pub(crate) mod support;
pub(crate) mod tls;
