//! The socket under a connection: TCP, TLS over TCP, or a Unix socket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use atalaya_estate::{ConnectionUrl, TlsMode};
use atalaya_pgwire as pgwire;
use bytes::BytesMut;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificate::server_end_point;
use super::error::WireError;
use crate::tls::{Rejection, TlsError, client_config, rejection};

// A peer that vanished without a word is noticed after about a minute. TCP_USER_TIMEOUT is not set: it would
// also cut a healthy target that reads nothing for a while because it waits for a lock.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;

const LONGEST_CONNECT: Duration = Duration::from_secs(600);

/// An open connection's socket. `Tls` is the client's side of TLS, unless a server's is named.
pub enum Stream<Tls = TlsStream<TcpStream>> {
    /// Plain TCP.
    Tcp(TcpStream),
    /// A socket of the file system.
    Unix(UnixStream),
    /// TLS over TCP.
    Tls(Box<Tls>),
}

/// Host and port, or the socket's path.
pub(crate) fn address_of(url: &ConnectionUrl) -> String {
    if url.host().starts_with('/') {
        format!("{}/.s.PGSQL.{}", url.host().trim_end_matches('/'), url.port())
    } else if url.host().contains(':') {
        format!("[{}]:{}", url.host(), url.port())
    } else {
        format!("{}:{}", url.host(), url.port())
    }
}

impl Stream {
    /// Opens the socket and, as the URL's mode says, TLS on it. Has no time limit of its own.
    pub(crate) async fn open(url: &ConnectionUrl) -> Result<Self, WireError> {
        let address = address_of(url);
        if url.host().starts_with('/') {
            // As in libpq, `sslmode` says nothing about Unix sockets.
            return connect_unix(url).await.map(Self::Unix);
        }
        let mut tcp = connect_tcp(url).await?;
        if url.tls() == TlsMode::Disable {
            return Ok(Self::Tcp(tcp));
        }
        let config = client_config(url)?;
        let failed = |source| WireError::Io { during: "the TLS negotiation", source };
        let mut request = BytesMut::new();
        pgwire::ssl_request(&mut request);
        tcp.write_all(&request).await.map_err(failed)?;
        // Exactly one byte: anything sent in advance of the handshake would be plain text taken for encrypted.
        match tcp.read_u8().await.map_err(failed)? {
            b'S' => {}
            b'N' if url.tls() == TlsMode::Prefer => return Ok(Self::Tcp(tcp)),
            b'N' => return Err(WireError::TlsRefused { address }),
            _ => {
                return Err(WireError::Unexpected { during: "the TLS negotiation" });
            }
        }
        let name = ServerName::try_from(url.host().to_owned()).map_err(|error| TlsError::Setup(Box::new(error)))?;
        let tls = TlsConnector::from(config).connect(name, tcp).await;
        tls.map(|stream| Self::Tls(Box::new(stream))).map_err(|error| handshake_error(error, address, url.host()))
    }

    /// Whether a password in clear text may travel here.
    pub(crate) fn is_private(&self) -> bool {
        !matches!(self, Self::Tcp(_))
    }

    /// What binds a password exchange to this channel.
    pub(crate) fn server_end_point(&self) -> Option<Vec<u8>> {
        let Self::Tls(stream) = self else { return None };
        stream.get_ref().1.peer_certificates()?.first().and_then(|certificate| server_end_point(certificate))
    }
}

/// How long a connection may take to come about, login included, for both drivers. `connect_timeout=0` means
/// "no limit" to libpq; here it means [`LONGEST_CONNECT`].
pub(crate) fn connect_limit(url: &ConnectionUrl) -> Duration {
    match url.connect_timeout() {
        Duration::ZERO => LONGEST_CONNECT,
        limit => limit,
    }
}

/// The socket in a folder, named as the server names it.
pub(crate) async fn connect_unix(url: &ConnectionUrl) -> Result<UnixStream, WireError> {
    let address = address_of(url);
    UnixStream::connect(&address).await.map_err(|source| WireError::Connect { address, source })
}

/// The first of the host's addresses that answers.
pub(crate) async fn connect_tcp(url: &ConnectionUrl) -> Result<TcpStream, WireError> {
    let unknown = |source| WireError::UnknownHost { host: url.host().to_owned(), source };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut found_any = false;
    for candidate in lookup_host((url.host(), url.port())).await.map_err(unknown)? {
        found_any = true;
        match TcpStream::connect(candidate).await.and_then(tuned) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    if found_any { Err(WireError::Connect { address: address_of(url), source: last }) } else { Err(unknown(last)) }
}

fn tuned(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}

fn handshake_error(source: io::Error, address: String, host: &str) -> WireError {
    match rejection(&source) {
        Some(Rejection::Name) => WireError::WrongCertificateName { address, host: host.to_owned(), source },
        Some(Rejection::Authority) => WireError::UntrustedAuthority { address, source },
        Some(Rejection::Other) | None => WireError::TlsHandshake { address, source },
    }
}

impl<Tls: AsyncRead + Unpin> AsyncRead for Stream<Tls> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl<Tls: AsyncWrite + Unpin> AsyncWrite for Stream<Tls> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
