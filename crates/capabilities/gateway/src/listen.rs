//! Sockets that are listened to, and how many of those who come are served at a time.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use atalaya_estate::ListenAddress;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::error::GatewayError;
use crate::run::Start;

/// A client that vanished is noticed after about two minutes.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_RETRIES: u32 = 3;
/// As many connections may wait to be heard.
const BACKLOG: u32 = 4096;
/// After an error in accepting, of which running out of descriptors is the usual one.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Listens at the first of the name's addresses that can be had.
pub(crate) fn tcp(host: &str, port: u16, start: Start) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for candidate in (host, port).to_socket_addrs()? {
        let free = if start == Start::Replacing { Ok(()) } else { is_taken(candidate) };
        match free.and_then(|()| at(candidate)) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Listens where the estate allows TCP only.
pub(crate) fn tcp_only(address: &ListenAddress, start: Start) -> Result<TcpListener, GatewayError> {
    let failed = |source| GatewayError::Listen { address: address.clone(), source };
    match address {
        ListenAddress::Tcp { host, port } => tcp(host, *port, start).map_err(failed),
        ListenAddress::Unix { .. } => Err(failed(io::ErrorKind::InvalidInput.into())),
    }
}

fn at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = of_family(address)?;
    socket.set_reuseaddr(true)?;
    // A gateway that replaces this one hears the same port before this one stops.
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Whether somebody hears this port already; two would share its clients without a word.
fn is_taken(address: SocketAddr) -> io::Result<()> {
    let socket = of_family(address)?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1).map(drop)
}

fn of_family(address: SocketAddr) -> io::Result<TcpSocket> {
    if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
}

/// A socket that others connect to.
pub(crate) trait Listening {
    /// A connection.
    type Stream;

    /// The next one.
    fn next(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listening for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.accept().await?;
        // Without it answers are slower, not wrong.
        let _slower = stream.set_nodelay(true);
        // A client that vanished without a word would keep its seat, and what ties it to a server, for ever.
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE_IDLE)
            .with_interval(KEEPALIVE_INTERVAL)
            .with_retries(KEEPALIVE_RETRIES);
        let _unseen = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
        Ok(stream)
    }
}

impl Listening for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<UnixStream> {
        Ok(self.accept().await?.0)
    }
}

/// Serves whoever comes, for ever, at most so many at a time; the others wait to be heard.
pub(crate) async fn serve_each<Listener, Served>(
    listener: &Listener,
    limit: usize,
    serve: impl Fn(Listener::Stream) -> Served,
) where
    Listener: Listening,
    Served: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(limit));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.next().await {
            Ok(stream) => {
                let served = serve(stream);
                tokio::spawn(async move {
                    served.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(error = error.to_string(), "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
