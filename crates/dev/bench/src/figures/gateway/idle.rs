//! Memory of the gateway while many clients wait, each of which has logged in and read one row.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::certificate::Certificate;
use super::client::{Client, Tls};
use super::ways::{Front, PGBOUNCER, Pool, Way};
use super::{ours, pgbouncer};
use crate::error::Error;
use crate::figures::Size;
use crate::lab::Lab;
use crate::memory::resident;
use crate::report::{Figure, Goal, Measured};

/// Logins at once: they are what takes time, on both sides.
const AT_ONCE: u32 = 8;
/// Files of a process beside its connections with clients.
const OTHER_FILES: u64 = 200;

pub(in crate::figures) fn measure(lab: &Lab, size: &Size) -> Result<Vec<Figure>, Error> {
    let clients = size.gateway_clients;
    allow_files(u64::from(clients) + OTHER_FILES)?;
    let role = lab.source.superuser();
    let pool = Pool::TRANSACTION;
    let peer = {
        let front = pgbouncer::start(lab, pool)?;
        let connect = || Client::<TcpStream>::connect(front.port, role);
        with_idle(&front, Way::Pgbouncer, clients, connect)?
    };
    let plain = {
        let front = ours::start(lab, ours::Options { pool, workers: 1, tls: None })?;
        let connect = || Client::<TcpStream>::connect(front.port, role);
        with_idle(&front, Way::Ours, clients, connect)?
    };
    let over_tls = {
        let certificate = Certificate::make()?;
        let trust = certificate.trust()?;
        let front = ours::start(lab, ours::Options { pool, workers: 1, tls: Some(&certificate) })?;
        let connect = || Client::<Tls>::connect_tls(front.port, role, &trust);
        with_idle(&front, Way::Ours, clients, connect)?
    };
    let what = format!("resident memory with {clients} idle clients, each logged in by SCRAM and having read one row");
    Ok(vec![
        Figure {
            id: "gateway-idle",
            what: format!("{what}, without TLS; {}", pgbouncer::version()?),
            measured: Measured::Resident { bytes: plain, clients, peer: Some((PGBOUNCER, peer)) },
            goal: Goal::MebibytesUnder(300.0),
        },
        Figure {
            id: "gateway-idle-tls",
            what: format!("{what}, over TLS 1.3"),
            measured: Measured::Resident { bytes: over_tls, clients, peer: None },
            goal: Goal::MebibytesUnder(600.0),
        },
    ])
}

/// Raises this process's limit of open files, which its children inherit, where it is too low.
fn allow_files(wanted: u64) -> Result<(), Error> {
    let failed = |errno: nix::Error| Error::Run { program: "setrlimit".to_owned(), source: errno.into() };
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(failed)?;
    if soft >= wanted {
        return Ok(());
    }
    if hard < wanted {
        return Err(Error::OpenFiles { wanted, limit: hard });
    }
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).map_err(failed)
}

/// The bytes of the process in front while all clients are there.
fn with_idle<S: Read + Write + Send>(
    front: &Front,
    way: Way,
    clients: u32,
    connect: impl Fn() -> io::Result<Client<S>> + Sync,
) -> Result<u64, Error> {
    let one = || {
        let mut client = connect()?;
        client.query("SELECT 1")?;
        Ok(client.stream)
    };
    let some = |count: u32| (0..count).map(|_| one()).collect::<io::Result<Vec<S>>>();
    let shares = (0..AT_ONCE).map(|index| clients / AT_ONCE + u32::from(index < clients % AT_ONCE));
    let streams = thread::scope(|scope| {
        let some = &some;
        let threads: Vec<_> = shares.map(|share| scope.spawn(move || some(share))).collect();
        let mut streams = Vec::new();
        for thread in threads {
            streams.extend(thread.join().unwrap_or_else(|_| Err(io::Error::other("a client panicked")))?);
        }
        Ok::<_, io::Error>(streams)
    });
    let streams = streams.map_err(|source| Error::Client { of: way.name(), source })?;
    let bytes = resident(front.running.id());
    drop(streams);
    bytes.ok_or_else(|| Error::OtherWork(format!("{} ended with its clients", way.name())))
}
