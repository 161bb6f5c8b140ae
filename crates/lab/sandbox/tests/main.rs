//! The sandbox against every pinned server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod access;
mod life;
mod nats;
mod owner;
mod standby;

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Whether somebody listens on a port.
fn answers(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}
