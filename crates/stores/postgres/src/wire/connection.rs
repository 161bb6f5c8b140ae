//! One session: connecting, and the reading and writing that all operations share.

use std::collections::BTreeMap;
use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_pgwire::{self as pgwire, BackendMessage, Frame, FrameDecoder, FrameLimits, ServerError, tag};
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::buffer::ReadBuffer;
use super::cancel::CancelTarget;
use super::error::WireError;
use super::login::login;
use super::stream::{Stream, address_of, connect_limit};

const GOODBYE: Duration = Duration::from_secs(2);

/// What a session is opened with.
#[derive(Debug, Clone, Default)]
pub struct WireOptions {
    /// Shown in `pg_stat_activity`.
    pub application_name: String,
    /// Opens a walsender for the URL's database, which understands the replication commands as well as SQL.
    pub replication: bool,
    /// Settings sent as startup parameters: they hold before the first statement, on a walsender too.
    pub settings: Vec<(String, String)>,
    /// The encoding of texts on this connection.
    pub encoding: ClientEncoding,
}

/// How texts are encoded on a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClientEncoding {
    /// UTF-8, whatever the database has.
    #[default]
    Utf8,
    /// As the server decides for a client that says nothing; for those who pass bytes through.
    OfServer,
}

/// A session taken apart after its login, for those who pass messages through unread.
pub struct WireParts {
    /// The socket, with TLS where it is spoken.
    pub stream: Stream,
    /// What was read beyond the login.
    pub unread: BytesMut,
    /// What a cancel request names.
    pub cancel: CancelTarget,
    /// The settings that the server reports, as it reported them.
    pub parameters: BTreeMap<String, String>,
}

/// A session that speaks the wire protocol itself.
///
/// An operation that was dropped before its end leaves the session in an unknown state; every later one is then
/// refused with [`WireError::Abandoned`].
pub struct WireConnection {
    pub(super) stream: Stream,
    pub(super) read: ReadBuffer,
    pub(super) frames: FrameDecoder,
    pub(super) write: BytesMut,
    pub(super) url: ConnectionUrl,
    pub(super) process_id: i32,
    pub(super) secret_key: i32,
    pub(super) is_channel_bound: bool,
    parameters: BTreeMap<String, String>,
    is_busy: bool,
}

impl WireConnection {
    /// Connects by TCP or, for a host that starts with `/`, by Unix socket; speaks TLS as the URL says; logs in.
    /// All of that within the URL's `connect_timeout`.
    ///
    /// # Errors
    /// Each way in which this can fail is a variant of its own with a hint.
    pub async fn connect(url: &ConnectionUrl, options: &WireOptions) -> Result<Self, WireError> {
        let limit = connect_limit(url);
        let session = async {
            let mut connection = Self {
                stream: Stream::open(url).await?,
                read: ReadBuffer::default(),
                frames: FrameDecoder::new(FrameLimits::default()),
                write: BytesMut::new(),
                url: url.clone(),
                process_id: 0,
                secret_key: 0,
                is_channel_bound: false,
                parameters: BTreeMap::new(),
                is_busy: false,
            };
            login(&mut connection, options).await?;
            Ok(connection)
        };
        timeout(limit, session)
            .await
            .unwrap_or_else(|_| Err(WireError::ConnectTimeout { address: address_of(url), limit }))
    }

    /// The server process of this session, as in `pg_stat_activity.pid`.
    #[must_use]
    pub fn backend_process_id(&self) -> i32 {
        self.process_id
    }

    /// Whether the password exchange was bound to the TLS channel (SCRAM-SHA-256-PLUS).
    #[must_use]
    pub fn is_channel_bound(&self) -> bool {
        self.is_channel_bound
    }

    /// A setting that the server reports, such as `server_encoding` or `is_superuser`.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// The server's version in its own words, such as `13.23`; empty when it did not say.
    #[must_use]
    pub fn server_version(&self) -> &str {
        self.parameter("server_version").unwrap_or_default()
    }

    /// The server's major version, such as 13.
    #[must_use]
    pub fn server_major_version(&self) -> Option<u32> {
        self.server_version().split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }

    /// Takes a session apart that runs no statement.
    ///
    /// # Errors
    /// When an operation on it was dropped before its end.
    pub fn into_parts(self) -> Result<WireParts, WireError> {
        if self.is_busy {
            return Err(WireError::Abandoned);
        }
        let cancel = CancelTarget { url: self.url, process_id: self.process_id, secret_key: self.secret_key };
        Ok(WireParts { stream: self.stream, unread: self.read.bytes, cancel, parameters: self.parameters })
    }

    /// Ends the session in good order.
    pub async fn close(mut self) {
        pgwire::terminate(&mut self.write);
        // The session ends with the socket in any case; this only spares the server a line in its log.
        let _ = timeout(GOODBYE, async {
            self.flush("the goodbye").await?;
            self.stream.shutdown().await.map_err(|source| WireError::Io { during: "the goodbye", source })
        })
        .await;
    }

    /// Sends a statement as the start of an operation.
    pub(super) async fn start(&mut self, sql: &str) -> Result<(), WireError> {
        const DURING: &str = "sending a statement";
        if self.is_busy {
            return Err(WireError::Abandoned);
        }
        pgwire::query(sql, &mut self.write).map_err(|source| WireError::Protocol { during: DURING, source })?;
        self.is_busy = true;
        self.flush(DURING).await
    }

    /// The next message that belongs to the operation under way. Cancellation-safe.
    pub(super) async fn receive(&mut self, during: &'static str) -> Result<BackendMessage, WireError> {
        loop {
            if let Some(message) = self.receive_buffered(during)? {
                return Ok(message);
            }
            self.fill(during).await?;
        }
    }

    /// The next such message among the bytes already read.
    pub(super) fn receive_buffered(&mut self, during: &'static str) -> Result<Option<BackendMessage>, WireError> {
        let protocol = |source| WireError::Protocol { during, source };
        while let Some(frame) = self.frames.decode(&mut self.read.bytes).map_err(protocol)? {
            if let Some(message) = self.sort_out(frame).map_err(protocol)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Takes care of what may come at any time.
    pub(super) fn sort_out(&mut self, frame: Frame) -> Result<Option<BackendMessage>, pgwire::CodecError> {
        match BackendMessage::decode(frame)? {
            BackendMessage::ParameterStatus { name, value } => {
                pgwire::note_reported(&mut self.parameters, name, value)?;
            }
            // Its text may hold anything that a function raises.
            BackendMessage::Notice(notice) => {
                tracing::debug!(sqlstate = notice.sqlstate, "notice from the server")
            }
            BackendMessage::Notification => {}
            message => {
                if matches!(message, BackendMessage::ReadyForQuery(_)) {
                    self.is_busy = false;
                }
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Reads once; the end of the stream is an error.
    pub(super) async fn fill(&mut self, during: &'static str) -> Result<(), WireError> {
        let missing = self.frames.missing_bytes(&self.read.bytes);
        match self.read.fill(&mut self.stream, missing).await {
            Ok(0) => Err(WireError::Ended(during)),
            Ok(_) => Ok(()),
            Err(source) if is_end(&source) => Err(WireError::Ended(during)),
            Err(source) => Err(WireError::Io { during, source }),
        }
    }

    /// Sends all that waits to be sent. Cancellation-safe: what was not sent stays in the buffer.
    pub(super) async fn flush(&mut self, during: &'static str) -> Result<(), WireError> {
        let sent = async {
            while self.write.has_remaining() {
                self.stream.write_buf(&mut self.write).await?;
            }
            self.stream.flush().await
        };
        match sent.await {
            Ok(()) => Ok(()),
            Err(source) => Err(self.reason_of_end(during, source).await),
        }
    }

    /// A server that ends a session says why before it closes; a failed write hides that message.
    pub(super) async fn reason_of_end(&mut self, during: &'static str, source: std::io::Error) -> WireError {
        const PATIENCE: Duration = Duration::from_secs(1);
        let said = timeout(PATIENCE, async {
            loop {
                match self.receive(during).await {
                    Ok(BackendMessage::Error(error)) => break Some(error),
                    Ok(_) => {}
                    Err(_) => break None,
                }
            }
        });
        match said.await {
            Ok(Some(error)) => WireError::server(error),
            _ if is_end(&source) => WireError::Ended(during),
            _ => WireError::Io { during, source },
        }
    }

    /// After an error of the server: waits until the session can be used again, then returns that error.
    pub(super) async fn after_error(&mut self, error: ServerError, during: &'static str) -> WireError {
        loop {
            match self.receive(during).await {
                Ok(BackendMessage::ReadyForQuery(_)) | Err(_) => return WireError::server(error),
                Ok(_) => {}
            }
        }
    }

    /// Whether a whole message waits in the buffer.
    pub(super) fn has_message(&self) -> bool {
        self.frames.has_whole_message(&self.read.bytes)
    }

    /// The next whole message in the buffer, not yet understood.
    pub(super) fn decode_frame(&mut self, during: &'static str) -> Result<Option<Frame>, WireError> {
        self.frames.decode(&mut self.read.bytes).map_err(|source| WireError::Protocol { during, source })
    }
}

/// A reset connection and, under TLS, an end without goodbye are ends of the stream like any other.
fn is_end(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof)
}

impl std::fmt::Debug for WireConnection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("WireConnection").field("url", &self.url).field("process_id", &self.process_id).finish()
    }
}

/// Whether a frame is copy data.
pub(super) fn is_copy_data(frame: &Frame) -> bool {
    frame.tag == tag::COPY_DATA
}

/// Polls a write once; used where reading goes on at the same time.
pub(super) fn poll_send(
    stream: &mut Stream,
    write: &mut BytesMut,
    context: &mut std::task::Context<'_>,
) -> std::task::Poll<std::io::Result<()>> {
    use std::pin::Pin;
    use std::task::{Poll, ready};
    while write.has_remaining() {
        let sent = ready!(Pin::new(&mut *stream).poll_write(context, write))?;
        if sent == 0 {
            return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
        }
        write.advance(sent);
    }
    Pin::new(stream).poll_flush(context)
}
