//! The wire connection: login, copies, replication.

mod copy;
mod interrupted;
mod login;
mod replication;
mod support;
mod tls;
