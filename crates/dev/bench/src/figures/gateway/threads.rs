//! Two workers of the gateway beside one.
//!
//! Client, gateway and server share the machine's cores, so on two of them a second worker helps only where one would be
//! busy for more than half of all the work that is done; 1.3 times as much asks for two thirds. No stream of results is
//! such work: the server needs as long to make and send them as a gateway needs to encrypt and pass them on. Logins are:
//! each client connects over TLS, reads one row and leaves, as short-lived programs without a pool of their own do. The
//! gateway signs each handshake by an RSA key of 4096 bits, which takes it longer than all that the client and the server
//! do.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use atalaya_sandbox::Role;
use rustls::ClientConfig;

use super::certificate::{Certificate, Key};
use super::client::Client;
use super::ours;
use super::ways::{Front, Pool, Way};
use crate::error::Error;
use crate::figures::Size;
use crate::lab::Lab;
use crate::pairs::{Pairs, Side};
use crate::report::{Figure, Goal, Measured, Unit};

/// Enough that a port shared between workers gives each of them some at any time.
const CLIENTS: usize = 16;

pub(in crate::figures) fn measure(lab: &Lab, size: &Size) -> Result<Vec<Figure>, Error> {
    let certificate = Certificate::make(Key::Rsa4096)?;
    let trust = certificate.trust()?;
    let start = |workers| ours::start(lab, ours::Options { pool: Pool::TRANSACTION, workers, tls: Some(&certificate) });
    let (one, two) = (start(1)?, start(2)?);
    let period = Duration::from_secs(size.gateway_seconds.into());
    let turn = |front: &Front| {
        log_in(front.port, lab.source.superuser(), &trust, period)
            .map_err(|source| Error::Client { of: Way::Ours.name(), source })
    };
    let mut pairs = Pairs::default();
    for round in 0..size.rounds {
        let order = if round.is_multiple_of(2) { [Side::Peer, Side::Ours] } else { [Side::Ours, Side::Peer] };
        for side in order {
            match side {
                Side::Ours => pairs.ours.push(turn(&two)?),
                Side::Peer => pairs.peer.push(turn(&one)?),
            }
        }
    }
    Ok(vec![Figure {
        id: "gateway-threads",
        what: format!(
            "{CLIENTS} clients at once connect over TLS (RSA 4096), log in by SCRAM, read one row and leave, again and again \
             for {} s; transaction pooling; a transaction is all of that",
            size.gateway_seconds
        ),
        measured: Measured::Beside {
            unit: Unit::TransactionsPerSecond,
            pairs,
            names: ["two workers", "one worker"],
            others: Vec::new(),
        },
        goal: Goal::RatioAtLeast(1.3),
    }])
}

/// How often a second a row was read.
fn log_in(port: u16, role: &Role, trust: &Arc<ClientConfig>, period: Duration) -> io::Result<f64> {
    let begun = Instant::now();
    let read_rows = || {
        let mut rows: u32 = 0;
        while begun.elapsed() < period {
            Client::connect_tls(port, role, trust)?.query("SELECT 1")?;
            rows += 1;
        }
        Ok::<_, io::Error>(rows)
    };
    let rows = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(read_rows)).collect();
        clients.into_iter().try_fold(0, |sum, client| {
            let rows = client.join().unwrap_or_else(|_| Err(io::Error::other("a client panicked")))?;
            Ok::<u32, io::Error>(sum + rows)
        })
    })?;
    Ok(f64::from(rows) / begun.elapsed().as_secs_f64())
}
