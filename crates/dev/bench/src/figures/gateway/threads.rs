//! Two workers of the gateway beside one.
//!
//! Client, gateway and server share the machine's cores, so on two of them a second worker helps only where the gateway does
//! most of the work: with one worker it must need more time than client and server together. So it is given more to do than
//! either. Clients read over TLS, by a cipher that no processor has instructions for, results that the server makes by
//! copying one constant; and they throw the records away as they come, in the system's own buffers, without reading or
//! decrypting them. Each client has proven before, as any client does, that it reads the whole result. What is counted is
//! the records' bytes. A load of small queries shows less: there the server does most of the work.

use std::os::fd::AsRawFd;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};
use std::{io, thread};

use atalaya_sandbox::Role;
use nix::sys::socket::{MsgFlags, recv};
use rustls::ClientConfig;
use rustls::crypto::ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256;

use super::certificate::Certificate;
use super::client::{Client, Tls, query};
use super::ours;
use super::ways::{Front, Pool, Way};
use crate::error::Error;
use crate::figures::Size;
use crate::lab::Lab;
use crate::pairs::{Pairs, Side};
use crate::report::{Figure, Goal, Measured, Unit};

/// Enough that a port shared between workers gives each of them some.
const CLIENTS: usize = 16;
/// Small enough to stay in the processor's cache from one copy to the next.
const RESULT_BYTES: u64 = 256 << 10;
/// Results asked for ahead, so that no side waits for the client.
const AHEAD: u64 = 4;
const TAKEN_BYTES: usize = 256 << 10;

pub(in crate::figures) fn measure(lab: &Lab, size: Size) -> Result<Vec<Figure>, Error> {
    let certificate = Certificate::make()?;
    let trust = certificate.trust(&[TLS13_CHACHA20_POLY1305_SHA256])?;
    let start = |workers| ours::start(lab, ours::Options { pool: Pool::TRANSACTION, workers, tls: Some(&certificate) });
    let (one, two) = (start(1)?, start(2)?);
    let period = Duration::from_secs(size.gateway_seconds.into());
    let turn = |front: &Front| {
        read(front.port, lab.source.superuser(), &trust, period)
            .map_err(|source| Error::Client { of: Way::Ours.name(), source })
    };
    let mut pairs = Pairs::default();
    for round in 0..size.rounds {
        let order = if round % 2 == 0 { [Side::Peer, Side::Ours] } else { [Side::Ours, Side::Peer] };
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
            "{CLIENTS} clients read results of {} KiB over TLS (ChaCha20) for {} s and throw the records away; transaction \
             pooling",
            RESULT_BYTES >> 10,
            size.gateway_seconds
        ),
        measured: Measured::Beside {
            unit: Unit::MegabytesPerSecond,
            pairs,
            names: ["two workers", "one worker"],
            others: Vec::new(),
        },
        goal: Goal::RatioAtLeast(1.3),
    }])
}

/// Megabytes a second that came to all clients together.
fn read(port: u16, role: &Role, trust: &Arc<ClientConfig>, period: Duration) -> io::Result<f64> {
    let sql = format!("SELECT repeat(repeat('x', 1024), {})", RESULT_BYTES >> 10);
    let connect = || {
        let mut client = Client::connect_tls(port, role, trust)?;
        if client.query(&sql)? < RESULT_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the result was not whole"));
        }
        Ok(client)
    };
    let clients = (0..CLIENTS).map(|_| connect()).collect::<io::Result<Vec<_>>>()?;
    let (ready, question) = (Barrier::new(CLIENTS + 1), query(&sql)?);
    thread::scope(|scope| {
        let readers: Vec<_> = clients
            .into_iter()
            .map(|client| {
                scope.spawn(|| {
                    ready.wait();
                    throw_away(client.stream, &question, Instant::now() + period)
                })
            })
            .collect();
        ready.wait();
        let begun = Instant::now();
        let mut bytes = 0;
        for reader in readers {
            bytes += reader.join().unwrap_or_else(|_| Err(io::Error::other("a reader panicked")))?;
        }
        Ok(bytes as f64 / 1e6 / begun.elapsed().as_secs_f64())
    })
}

/// Asks and takes until a time; the bytes that came.
fn throw_away(mut stream: Tls, question: &[u8], until: Instant) -> io::Result<u64> {
    // Only its length counts: the system throws the bytes away instead of copying them here.
    let mut room = vec![0; TAKEN_BYTES];
    let (mut taken, mut asked) = (0, 0);
    while Instant::now() < until {
        while asked < taken / RESULT_BYTES + AHEAD {
            ask(&mut stream, question)?;
            asked += 1;
        }
        match recv(stream.sock.as_raw_fd(), &mut room, MsgFlags::MSG_TRUNC)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => taken += count as u64,
        }
    }
    Ok(taken)
}

/// Writes without reading, as the stream itself would not.
fn ask(stream: &mut Tls, question: &[u8]) -> io::Result<()> {
    io::Write::write_all(&mut stream.conn.writer(), question)?;
    while stream.conn.wants_write() {
        stream.conn.write_tls(&mut stream.sock)?;
    }
    Ok(())
}
