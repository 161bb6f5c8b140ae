//! A TCP proxy before a server, for faults of a network that a real one makes only by chance.
//!
//! It carries bytes and never looks at them.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::Error;

const BUFFER_BYTES: usize = 16 << 10;
/// Between two looks of a connection that is frozen or held at whether it is to end or to go on.
const FROZEN_POLL: Duration = Duration::from_millis(50);

/// What happens once a connection's server has sent so many bytes on it; once only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Both directions of that connection are closed in good order, in the middle of whatever went on.
    HangUp,
    /// All connections that there are stay open and carry nothing any more; later ones do.
    Freeze,
    /// That connection stays open and carries what its client says, and none of the server's answers any more.
    LoseAnswers,
}

/// A proxy; it and its connections end when dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server_port: u16,
    /// The fault that comes by itself, and the bytes after which.
    fault: Option<(Fault, u64)>,
    has_struck: AtomicBool,
    has_ended: AtomicBool,
    /// Connections of an earlier epoch are frozen.
    epoch: AtomicU64,
    /// Whether those that are made now are frozen from the beginning.
    is_cut: AtomicBool,
    /// Whether those that are made now wait.
    holds: AtomicBool,
    /// How long an answer is on its way, in milliseconds.
    answers_after_ms: AtomicU64,
    /// Connections with an answer on its way.
    late: AtomicUsize,
    open: Mutex<BTreeMap<u64, Connection>>,
}

/// Both sockets of a connection, to end it from outside.
#[derive(Debug)]
struct Connection {
    client: TcpStream,
    server: TcpStream,
    epoch: u64,
    is_held: bool,
}

impl Connection {
    fn end(&self) {
        for socket in [&self.client, &self.server] {
            // It may have ended by itself.
            let _gone = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Proxy {
    /// A proxy whose faults come only when asked for.
    ///
    /// # Errors
    /// When no port of loopback can be listened on.
    pub fn start(server_port: u16) -> Result<Self, Error> {
        Self::listen(server_port, None)
    }

    /// A proxy whose fault comes when one connection has carried so many bytes from the server.
    ///
    /// # Errors
    /// When no port of loopback can be listened on.
    pub fn with_fault(server_port: u16, fault: Fault, after_bytes: u64) -> Result<Self, Error> {
        Self::listen(server_port, Some((fault, after_bytes)))
    }

    fn listen(server_port: u16, fault: Option<(Fault, u64)>) -> Result<Self, Error> {
        let no_port = |_| Error::NoFreePort { attempts: 1 };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(no_port)?;
        let port = listener.local_addr().map_err(no_port)?.port();
        let shared = Arc::new(Shared {
            server_port,
            fault,
            has_struck: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
            is_cut: AtomicBool::new(false),
            holds: AtomicBool::new(false),
            answers_after_ms: AtomicU64::new(0),
            late: AtomicUsize::new(0),
            open: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for (number, client) in (0..).zip(listener.incoming().flatten()) {
                if accepting.has_ended.load(Ordering::SeqCst) {
                    return;
                }
                // Where there is no server, the client learns it from a connection that ends at once.
                let _refused = accepting.connect(number, &client);
            }
        });
        Ok(Self { port, shared })
    }

    /// Where it listens, on loopback.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// A server's URL that leads through this proxy.
    #[must_use]
    pub fn url(&self, url: &str) -> String {
        url.replace(&format!(":{}/", self.shared.server_port), &format!(":{}/", self.port))
    }

    /// Whether a fault has come.
    #[must_use]
    pub fn has_struck(&self) -> bool {
        self.shared.has_struck.load(Ordering::SeqCst)
    }

    /// Every connection that there is carries nothing any more; the number of them.
    pub fn freeze(&self) -> usize {
        self.shared.freeze();
        self.shared.connections().len()
    }

    /// As [`Proxy::freeze`], and so is every connection that is made from here on, until [`Proxy::mend`].
    pub fn cut(&self) -> usize {
        self.shared.is_cut.store(true, Ordering::SeqCst);
        self.freeze()
    }

    /// The network is back after [`Proxy::cut`], and knows the connections of before no more; the number of them.
    pub fn mend(&self) -> usize {
        self.shared.is_cut.store(false, Ordering::SeqCst);
        self.reset_frozen()
    }

    /// Every connection that is made from here on waits, and carries nothing until [`Proxy::release`]; those that there are go
    /// on.
    pub fn hold(&self) {
        self.shared.holds.store(true, Ordering::SeqCst);
    }

    /// How many connections wait.
    #[must_use]
    pub fn held(&self) -> usize {
        self.shared.connections().values().filter(|connection| connection.is_held).count()
    }

    /// What was said meanwhile on those that wait is carried, late as it is, and they go on; the number of them.
    pub fn release(&self) -> usize {
        self.shared.holds.store(false, Ordering::SeqCst);
        let mut connections = self.shared.connections();
        connections.values_mut().map(|connection| usize::from(std::mem::take(&mut connection.is_held))).sum()
    }

    /// What a server says from here on, on any connection, is so long on its way, each 16 KiB of it behind the other. What is on
    /// its way already comes when it was to come.
    pub fn answer_after(&self, latency: Duration) {
        let ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        self.shared.answers_after_ms.store(ms, Ordering::SeqCst);
    }

    /// On how many connections a server has said what has not come yet.
    #[must_use]
    pub fn late(&self) -> usize {
        self.shared.late.load(Ordering::SeqCst)
    }

    /// Ends every connection that there is, frozen ones too; the number of them.
    pub fn hang_up(&self) -> usize {
        self.shared.has_struck.store(true, Ordering::SeqCst);
        self.shared.end(|_| true)
    }

    /// Ends the frozen connections, as a network does that comes back and knows them no more; the number of them.
    pub fn reset_frozen(&self) -> usize {
        let epoch = self.shared.epoch.load(Ordering::SeqCst);
        self.shared.end(|connection| connection.epoch != epoch)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.has_ended.store(true, Ordering::SeqCst);
        self.hang_up();
        // Wakes the thread that listens.
        let _woken = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl Shared {
    fn connections(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Connection>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, which: impl Fn(&Connection) -> bool) -> usize {
        let mut connections = self.connections();
        let before = connections.len();
        connections.retain(|_, connection| {
            let ends = which(connection);
            if ends {
                connection.end();
            }
            !ends
        });
        before - connections.len()
    }

    fn freeze(&self) {
        self.has_struck.store(true, Ordering::SeqCst);
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    fn connect(self: &Arc<Self>, number: u64, client: &TcpStream) -> std::io::Result<()> {
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server_port))?;
        for socket in [client, &server] {
            // Small messages must not wait for each other's acknowledgement.
            socket.set_nodelay(true)?;
        }
        // No epoch is ever the last one, so that it belongs to none.
        let epoch = if self.is_cut.load(Ordering::SeqCst) { u64::MAX } else { self.epoch.load(Ordering::SeqCst) };
        let (up, down) = ((client.try_clone()?, server.try_clone()?), (server.try_clone()?, client.try_clone()?));
        let (client, mut connections) = (client.try_clone()?, self.connections());
        // Asked under the lock by which they are released.
        let is_held = self.holds.load(Ordering::SeqCst);
        connections.insert(number, Connection { client, server, epoch, is_held });
        drop(connections);
        for ((from, to), is_answer) in [(up, false), (down, true)] {
            let shared = Arc::clone(self);
            thread::spawn(move || {
                shared.carry(from, to, epoch, is_answer, number);
                if let Some(connection) = shared.connections().remove(&number) {
                    connection.end();
                }
            });
        }
        Ok(())
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream, epoch: u64, is_answer: bool, number: u64) {
        while self.connections().get(&number).is_some_and(|connection| connection.is_held) {
            thread::sleep(FROZEN_POLL);
        }
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut total = 0;
        while let Ok(length) = from.read(&mut buffer) {
            if is_answer && length > 0 {
                self.delay();
            }
            if self.epoch.load(Ordering::SeqCst) != epoch {
                return self.keep_silent(number);
            }
            let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else { return };
            total += u64::try_from(length).unwrap_or(u64::MAX);
            let due = self.fault.filter(|(_, after_bytes)| is_answer && total >= *after_bytes).map(|(fault, _)| fault);
            let strikes = due.filter(|_| !self.has_struck.swap(true, Ordering::SeqCst));
            if strikes == Some(Fault::LoseAnswers) {
                while from.read(&mut buffer).is_ok_and(|length| length > 0) {}
                return;
            }
            if to.write_all(bytes).is_err() {
                return;
            }
            match strikes {
                Some(Fault::HangUp) => return,
                Some(Fault::Freeze) => self.freeze(),
                Some(Fault::LoseAnswers) | None => {}
            }
        }
    }

    fn delay(&self) {
        let ms = self.answers_after_ms.load(Ordering::SeqCst);
        if ms > 0 {
            self.late.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(ms));
            self.late.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// The sockets stay open, and so does the silence, until the proxy hangs up.
    fn keep_silent(&self, number: u64) {
        while self.connections().contains_key(&number) {
            thread::sleep(FROZEN_POLL);
        }
    }
}
