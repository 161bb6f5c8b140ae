//! Threads, sockets and their end.
//!
//! Each worker is a thread with an event loop of its own, on which its clients' sessions stay. The first one also hears
//! the listening sockets and hands clients out in turns.

use std::collections::BTreeMap;
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

use crate::admin::serve_network;
use crate::cancel::WantedEnd;
use crate::configuration::Configuration;
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::io::ClientStream;
use crate::listen::{self, ACCEPT_PAUSE, Listening};
use crate::login::log_in;
use crate::metrics;
use crate::route::{Routing, follow_all};

const TICK: Duration = Duration::from_secs(1);

/// A gateway that is not yet serving.
pub struct Prepared {
    control: Control,
    listen: Vec<ListenAddress>,
    admin: Option<ListenAddress>,
    metrics: Option<ListenAddress>,
    workers: usize,
    start: Start,
}

/// Whether a gateway is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// None may be.
    Alone,
    /// One serves on the same addresses, and will be asked to end.
    Replacing,
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
    /// Reads the estate again, and in the journal where each database is led, and serves that. Only who is served no more, or
    /// is bound to a server that is left, is ended, once idle. Where it listens and how many workers it has stay as they are.
    ///
    /// # Errors
    /// With what is wrong with it; the former one is served then.
    pub async fn reload(&self) -> Result<(), String> {
        let configuration = (self.reload)()?;
        let mut standings = BTreeMap::new();
        for database in configuration.databases.values() {
            if !standings.contains_key(&database.route) {
                let standing = self.gateway.journal.standing(&database.route).await;
                standings.insert(database.route.clone(), standing.map_err(|refused| refused.to_string())?);
            }
        }
        self.gateway.configure(configuration, &standings)
    }

    /// Over when another gateway has taken this one's place.
    pub async fn handed_over(&self) {
        self.gateway.handed_over.notified().await;
    }

    /// Closes the listening sockets, ends sessions as they become idle, and waits for those in a transaction; ends them,
    /// too, when they take longer than this.
    pub async fn end(&self, limit: Duration) {
        self.gateway.is_open.send_replace(false);
        self.gateway.cancel_keys.end_all(WantedEnd::WhenIdle);
        if tokio::time::timeout(limit, self.all_left()).await.is_ok() {
            return;
        }
        tracing::warn!(clients = self.gateway.seats_taken(), "clients were still in a transaction, and are ended");
        self.gateway.cancel_keys.end_all(WantedEnd::Now);
        let _left = tokio::time::timeout(GOODBYE, self.all_left()).await;
    }

    async fn all_left(&self) {
        while self.gateway.seats_taken() > 0 {
            tokio::time::sleep(LOOK_EVERY).await;
            // Those who were in the middle of their login when the others were told.
            self.gateway.cancel_keys.end_all(WantedEnd::WhenIdle);
        }
    }
}

/// How long ended sessions have to tell their clients.
const GOODBYE: Duration = Duration::from_secs(1);
/// While clients leave.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Makes a gateway of a configuration. Nothing listens yet.
#[must_use]
pub fn prepare(configuration: Configuration, reload: Reload, routing: Routing) -> (Prepared, Control) {
    let listen = configuration.gateway.listen.clone();
    let admin = configuration.gateway.admin.as_ref().map(|admin| admin.listen.clone());
    let metrics = configuration.gateway.metrics.clone();
    let wanted = configuration.gateway.workers.map(|workers| usize::from(workers.get()));
    let workers = wanted.unwrap_or_else(|| thread::available_parallelism().map_or(1, |cores| cores.get().min(8)));
    let gateway = Arc::new(Gateway::new(configuration, routing));
    let control = Control { gateway, reload };
    (Prepared { control: control.clone(), listen, admin, metrics, workers, start: Start::Alone }, control)
}

impl Prepared {
    /// Says whether a gateway serves on the same addresses already.
    #[must_use]
    pub fn start(self, start: Start) -> Self {
        Self { start, ..self }
    }

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
                opened.push(Listener::open(address, self.start)?);
            }
            let alone = |address| listen::tcp_only(address, self.start);
            let admin = self.admin.as_ref().map(alone).transpose()?;
            let metrics = self.metrics.as_ref().map(alone).transpose()?;
            let gateway = &self.control.gateway;
            for listener in opened {
                tokio::spawn(accept(listener, Arc::clone(gateway), Arc::clone(&handles)));
            }
            if let Some(listener) = admin {
                tokio::spawn(while_open(Arc::clone(gateway), serve_network(listener, self.control.clone())));
            }
            if let Some(listener) = metrics {
                tokio::spawn(while_open(Arc::clone(gateway), metrics::serve(listener, Arc::clone(gateway))));
            }
            follow_all(gateway);
            tokio::spawn(tick(Arc::clone(gateway)));
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

/// Serves those who are no clients, until the gateway ends; whoever takes its place serves them then.
async fn while_open(gateway: Arc<Gateway>, served: impl Future<Output = ()>) {
    let mut is_open = gateway.is_open.subscribe();
    tokio::select! {
        () = served => {}
        _ = is_open.wait_for(|is_open| !is_open) => {}
    }
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
    fn open(address: &ListenAddress, start: Start) -> Result<Self, GatewayError> {
        let failed = |source| GatewayError::Listen { address: address.clone(), source };
        match address {
            ListenAddress::Tcp { host, port } => listen::tcp(host, *port, start).map(Self::Tcp).map_err(failed),
            ListenAddress::Unix { .. } => {
                let path = address.socket_file().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
                // One that an earlier gateway left; a file of another kind is nobody's to remove.
                if std::fs::symlink_metadata(&path).is_ok_and(|found| found.file_type().is_socket())
                    && (start == Start::Replacing || std::os::unix::net::UnixStream::connect(&path).is_err())
                {
                    std::fs::remove_file(&path).map_err(failed)?;
                }
                UnixListener::bind(&path).map(Self::Unix).map_err(failed)
            }
        }
    }

    async fn next(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => Listening::next(listener).await?.into_std().map(Accepted::Tcp),
            Self::Unix(listener) => Listening::next(listener).await?.into_std().map(Accepted::Unix),
        }
    }
}

async fn accept(listener: Listener, gateway: Arc<Gateway>, workers: Arc<[Handle]>) {
    let mut turns = workers.iter().cycle();
    let mut is_open = gateway.is_open.subscribe();
    loop {
        let next = tokio::select! {
            next = listener.next() => next,
            _ = is_open.wait_for(|is_open| !is_open) => return,
        };
        match next {
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
