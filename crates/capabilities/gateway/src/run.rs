//! Threads, sockets and their end.
//!
//! Each worker is a thread with an event loop of its own, on which its clients' sessions stay. The first one also hears
//! the listening sockets and hands clients out in turns.

use std::future::Future;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use atalaya_estate::ListenAddress;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;

use crate::configuration::Configuration;
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::io::ClientStream;
use crate::login::log_in;

const TICK: Duration = Duration::from_secs(1);
/// As many clients may wait to be heard.
const BACKLOG: u32 = 4096;
/// After an error in accepting, of which running out of descriptors is the usual one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A gateway that is not yet serving.
pub struct Prepared {
    gateway: Arc<Gateway>,
    listen: Vec<ListenAddress>,
    workers: usize,
}

/// What steers a serving gateway.
#[derive(Clone)]
pub struct Control {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) reload: Reload,
}

/// Reads the estate again; what is wrong with it comes back as a text for the administrator.
pub type Reload = Arc<dyn Fn() -> Result<Configuration, String> + Send + Sync>;

impl Control {
    /// Serves another configuration; no client is dropped. Where it listens and how many workers it has stay as they are.
    pub fn configure(&self, configuration: Configuration) {
        self.gateway.configure(configuration);
    }

    /// Reads the estate again and serves it.
    ///
    /// # Errors
    /// With what is wrong with it; the former one is served then.
    pub fn reload(&self) -> Result<(), String> {
        self.configure((self.reload)()?);
        Ok(())
    }

    /// Lets nobody in any more, holds what would begin, and waits for what runs.
    pub async fn end(&self, limit: Duration) {
        self.gateway.refuse_clients();
        let databases = self.gateway.databases();
        for database in &databases {
            database.gate.close();
        }
        let drained = async {
            for database in &databases {
                database.gate.drained().await;
            }
        };
        if tokio::time::timeout(limit, drained).await.is_err() {
            tracing::warn!("transactions still ran at the end, and were ended");
        }
        self.gateway.end_sessions();
        // A turn for each session to say why.
        tokio::time::sleep(GOODBYE).await;
    }
}

/// How long ended sessions have to tell their clients.
const GOODBYE: Duration = Duration::from_millis(200);

/// Makes a gateway of a configuration. Nothing listens yet.
#[must_use]
pub fn prepare(configuration: Configuration, reload: Reload) -> (Prepared, Control) {
    let listen = configuration.gateway.listen.clone();
    let wanted = configuration.gateway.workers.map(|workers| usize::from(workers.get()));
    let workers = wanted.unwrap_or_else(|| thread::available_parallelism().map_or(1, |cores| cores.get().min(8)));
    let gateway = Arc::new(Gateway::new(configuration));
    let control = Control { gateway: Arc::clone(&gateway), reload };
    (Prepared { gateway, listen, workers }, control)
}

impl Prepared {
    /// Serves until `end` is over, which runs on the first worker. `listening` is called once clients can connect.
    ///
    /// # Errors
    /// When a socket cannot be opened or a thread cannot be started.
    pub fn serve<F: Future>(
        self,
        listening: impl FnOnce(),
        end: impl FnOnce() -> F,
    ) -> Result<F::Output, GatewayError> {
        let runtime = event_loop()?;
        let (stop, stopped) = watch::channel(());
        let mut handles = vec![runtime.handle().clone()];
        let mut threads = Vec::new();
        for number in 1..self.workers {
            let worker = event_loop()?;
            handles.push(worker.handle().clone());
            let mut stopped = stopped.clone();
            let serve = move || {
                worker.block_on(async move {
                    // The sender's end is the end as well.
                    let _over = stopped.changed().await;
                });
                worker.shutdown_background();
            };
            let named = thread::Builder::new().name(format!("gateway-{number}"));
            threads.push(named.spawn(serve).map_err(GatewayError::Worker)?);
        }
        let output = runtime.block_on(async {
            let handles: Arc<[Handle]> = handles.into();
            let mut opened = Vec::new();
            for address in &self.listen {
                opened.push((Listener::open(address)?, address.clone()));
            }
            for (listener, _) in opened {
                tokio::spawn(accept(listener, Arc::clone(&self.gateway), Arc::clone(&handles)));
            }
            tokio::spawn(tick(Arc::clone(&self.gateway)));
            listening();
            Ok(end().await)
        });
        drop(stop);
        runtime.shutdown_background();
        for thread in threads {
            // A worker that panicked has said so.
            let _ended = thread.join();
        }
        output
    }
}

fn event_loop() -> Result<Runtime, GatewayError> {
    Builder::new_current_thread().enable_all().build().map_err(GatewayError::Worker)
}

async fn tick(gateway: Arc<Gateway>) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        gateway.tidy();
    }
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A client's socket that belongs to no event loop yet.
enum Accepted {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Listener {
    fn open(address: &ListenAddress) -> Result<Self, GatewayError> {
        let failed = |source| GatewayError::Listen { address: address.clone(), source };
        match address {
            ListenAddress::Tcp { host, port } => {
                let found = std::net::ToSocketAddrs::to_socket_addrs(&(host.as_str(), *port)).map_err(failed)?;
                let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                for candidate in found {
                    match listen_tcp(candidate) {
                        Ok(listener) => return Ok(Self::Tcp(listener)),
                        Err(error) => last = error,
                    }
                }
                Err(failed(last))
            }
            ListenAddress::Unix { .. } => {
                let path = address.socket_file().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
                // One that an earlier gateway left; a file of another kind is nobody's to remove.
                if std::fs::symlink_metadata(&path).is_ok_and(|found| found.file_type().is_socket())
                    && std::os::unix::net::UnixStream::connect(&path).is_err()
                {
                    std::fs::remove_file(&path).map_err(failed)?;
                }
                UnixListener::bind(&path).map(Self::Unix).map_err(failed)
            }
        }
    }

    async fn next(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                stream.into_std().map(Accepted::Tcp)
            }
            Self::Unix(listener) => listener.accept().await?.0.into_std().map(Accepted::Unix),
        }
    }
}

fn listen_tcp(address: std::net::SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { tokio::net::TcpSocket::new_v4()? } else { tokio::net::TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(listener: Listener, gateway: Arc<Gateway>, workers: Arc<[Handle]>) {
    let mut turns = workers.iter().cycle();
    loop {
        match listener.next().await {
            Ok(accepted) => {
                let Some(worker) = turns.next() else { return };
                worker.spawn(serve(accepted, Arc::clone(&gateway)));
            }
            Err(error) => {
                tracing::warn!(error = error.to_string(), "a client could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(accepted: Accepted, gateway: Arc<Gateway>) {
    let stream = match accepted {
        Accepted::Tcp(stream) => tokio::net::TcpStream::from_std(stream).map(ClientStream::Tcp),
        Accepted::Unix(stream) => tokio::net::UnixStream::from_std(stream).map(ClientStream::Unix),
    };
    let Ok(stream) = stream else { return };
    // The login needs far more room than a session; it is given back before the session begins.
    let session = Box::pin(log_in(stream, gateway)).await;
    if let Some(session) = session {
        session.await;
    }
}
