//! A TCP proxy before a server, for faults of a network that a real one makes only by chance.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// What happens to a connection once its server has sent so many bytes on it; once only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Both directions are closed in good order, in the middle of whatever went on.
    HangUp,
    /// All connections that there are stay open and carry nothing any more; later ones do.
    Freeze,
}

/// A proxy; its threads end with the test's process.
pub(super) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    server_port: u16,
    fault: Fault,
    after_bytes: u64,
    has_struck: AtomicBool,
    /// Connections of an earlier epoch are frozen.
    epoch: AtomicU64,
}

impl Proxy {
    /// A proxy whose fault comes when one connection has carried so many bytes from the server.
    pub(super) fn start(server_port: u16, fault: Fault, after_bytes: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            server_port,
            fault,
            after_bytes,
            has_struck: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", accepting.server_port)) else { continue };
                let (client_reads, server_reads) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let epoch = accepting.epoch.load(Ordering::SeqCst);
                let (up, down) = (Arc::clone(&accepting), Arc::clone(&accepting));
                thread::spawn(move || up.carry(client_reads, server, epoch, false));
                thread::spawn(move || down.carry(server_reads, client, epoch, true));
            }
        });
        Self { port, shared }
    }

    /// A server's URL that leads through this proxy.
    pub(super) fn url(&self, url: &str) -> String {
        url.replace(&format!(":{}/", self.shared.server_port), &format!(":{}/", self.port))
    }

    /// Whether the fault has come.
    pub(super) fn has_struck(&self) -> bool {
        self.shared.has_struck.load(Ordering::SeqCst)
    }

    /// Has the fault come now: every connection that there is carries nothing any more.
    pub(super) fn freeze(&self) {
        self.shared.has_struck.store(true, Ordering::SeqCst);
        self.shared.epoch.fetch_add(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn carry(&self, mut from: TcpStream, mut to: TcpStream, epoch: u64, is_answer: bool) {
        let mut buffer = vec![0; 16 << 10];
        let mut total = 0;
        while let Ok(length) = from.read(&mut buffer) {
            if self.epoch.load(Ordering::SeqCst) != epoch {
                // The sockets stay open, and so does the silence.
                loop {
                    thread::park();
                }
            }
            if length == 0 || to.write_all(&buffer[..length]).is_err() {
                break;
            }
            total += length as u64;
            if is_answer && total >= self.after_bytes && !self.has_struck.swap(true, Ordering::SeqCst) {
                match self.fault {
                    Fault::HangUp => break,
                    Fault::Freeze => {
                        self.epoch.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
        }
        let _gone = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}
