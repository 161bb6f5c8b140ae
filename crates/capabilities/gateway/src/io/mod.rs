//! Bytes between sockets: one read buffer a thread, and what a socket has not taken yet.

mod client_stream;
mod outbox;
mod scratch;

pub(crate) use client_stream::ClientStream;
pub(crate) use outbox::Outbox;
pub(crate) use scratch::{Assembly, with_scratch};
