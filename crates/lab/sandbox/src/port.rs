//! Free ports on loopback.

use std::net::{Ipv4Addr, TcpListener};

use crate::Error;

/// Below the range from which Linux gives ports to outgoing connections, so that a stopped server finds its port
/// still free when it starts again.
const PORTS: std::ops::Range<u16> = 15_000..32_000;
const ATTEMPTS: u32 = 100;

/// A port nobody listens on now. Somebody may an instant later: the caller starts its server, and asks again when the
/// server finds the port taken.
///
/// # Errors
/// When a hundred ports in a row are taken.
pub fn free_port() -> Result<u16, Error> {
    (0..ATTEMPTS)
        .map(|_| rand::random_range(PORTS))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or(Error::NoFreePort { attempts: ATTEMPTS })
}
