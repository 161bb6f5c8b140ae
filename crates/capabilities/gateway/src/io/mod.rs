//! Bytes between sockets: one read buffer a thread, and what a socket has not taken yet.

mod carry;
mod outbox;
mod scratch;

use atalaya_postgres::wire::Stream;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

pub(crate) use carry::rest_of;
pub(crate) use outbox::Outbox;
pub(crate) use scratch::{Assembly, with_scratch};

/// The socket of a client: TCP, a Unix socket, or TLS over TCP.
pub(crate) type ClientStream = Stream<TlsStream<TcpStream>>;
