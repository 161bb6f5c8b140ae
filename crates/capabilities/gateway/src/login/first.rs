//! What a client begins with: encryption, or not, and then its startup packet.
//!
//! Exactly the bytes of a packet are read, so that whatever is sent in plain text ahead of a TLS handshake is still in
//! the socket, is seen, and ends the connection instead of being taken for encrypted.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;

use atalaya_pgwire::server::{FirstPacket, Refusal, STARTUP_BYTES_MAX, Severity, StartupRequest, first_packet};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use crate::error::refusal;
use crate::gateway::Gateway;
use crate::io::ClientStream;

const YES: u8 = b'S';
const NO: u8 = b'N';
const ALPN: &[u8] = b"postgresql";

/// What the client wants.
pub(super) enum First {
    Session {
        stream: ClientStream,
        request: StartupRequest,
    },
    /// A cancel request, or a connection that was closed again.
    Nothing,
}

/// Who is to be told why, if anybody.
type Refused = Option<(ClientStream, Refusal)>;

pub(super) async fn read(mut stream: ClientStream, gateway: &Arc<Gateway>) -> Result<First, Refused> {
    let (mut asked_tls, mut asked_gss) = (false, false);
    loop {
        if !asked_tls && begins_with_tls(&stream).await? {
            stream = encrypt(stream, gateway, Handshake::Direct).await?;
            asked_tls = true;
            continue;
        }
        let packet = match packet(&mut stream).await {
            Ok(Some(packet)) => packet,
            Ok(None) => return Ok(First::Nothing),
            Err(Broken::Io) => return Err(None),
            Err(Broken::Packet(refusal)) => return Err(Some((stream, refusal))),
        };
        match packet {
            FirstPacket::Ssl if !asked_tls => {
                asked_tls = true;
                if has_more(&stream).await {
                    return Err(None);
                }
                let can = gateway.tls().is_some() && matches!(stream, ClientStream::Tcp(_));
                stream.write_all(&[if can { YES } else { NO }]).await.map_err(|_| None)?;
                if can {
                    stream = encrypt(stream, gateway, Handshake::Asked).await?;
                }
            }
            FirstPacket::Gss if !asked_gss => {
                asked_gss = true;
                stream.write_all(&[NO]).await.map_err(|_| None)?;
            }
            FirstPacket::Cancel(key) => {
                gateway.cancel_keys.cancel(&key).await;
                // Over TLS an end without a goodbye is an error to the client, which waits for it.
                let _closed = stream.shutdown().await;
                return Ok(First::Nothing);
            }
            FirstPacket::Startup(request) => {
                let needs_tls = gateway.tls().is_some_and(|tls| tls.is_required);
                if needs_tls && matches!(stream, ClientStream::Tcp(_)) {
                    let text = "this gateway serves encrypted connections only";
                    return Err(Some((stream, refusal(Severity::Fatal, "28000", text))));
                }
                return Ok(First::Session { stream, request });
            }
            FirstPacket::Ssl | FirstPacket::Gss | FirstPacket::DirectTls => {
                let text = "encryption was asked for twice";
                return Err(Some((stream, refusal(Severity::Fatal, "08P01", text))));
            }
        }
    }
}

enum Broken {
    Io,
    Packet(Refusal),
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self::Io
    }
}

/// Reads one packet, and not a byte more.
async fn packet(stream: &mut ClientStream) -> Result<Option<FirstPacket>, Broken> {
    let broken = |sqlstate, text: String| Broken::Packet(refusal(Severity::Fatal, sqlstate, text));
    let mut bytes = vec![0; 4];
    match stream.read_exact(&mut bytes).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let length = bytes.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    if !(8..=STARTUP_BYTES_MAX + 4).contains(&length) {
        return Err(broken("08P01", "invalid length of startup packet".to_owned()));
    }
    bytes.resize(length, 0);
    stream.read_exact(bytes.get_mut(4..).unwrap_or_default()).await?;
    match first_packet(&bytes) {
        Ok(Some((packet, _))) => Ok(Some(packet)),
        Ok(None) => Err(broken("08P01", "invalid startup packet".to_owned())),
        Err(error) => Err(broken(error.sqlstate(), error.to_string())),
    }
}

/// Whether a client speaks TLS at once. Nothing is taken from the socket.
async fn begins_with_tls(stream: &ClientStream) -> Result<bool, Refused> {
    let ClientStream::Tcp(stream) = stream else { return Ok(false) };
    let mut byte = [0];
    let seen = stream.peek(&mut byte).await.map_err(|_| None)?;
    Ok(seen == 1 && matches!(first_packet(&byte), Ok(Some((FirstPacket::DirectTls, _)))))
}

/// Whether the client sent anything that it should have kept until it was answered.
async fn has_more(stream: &ClientStream) -> bool {
    let ClientStream::Tcp(stream) = stream else { return false };
    let mut byte = [0];
    poll_fn(|context| Poll::Ready(peeked(stream, context, &mut byte))).await
}

fn peeked(stream: &TcpStream, context: &mut std::task::Context<'_>, byte: &mut [u8]) -> bool {
    matches!(stream.poll_peek(context, &mut ReadBuf::new(byte)), Poll::Ready(Ok(seen)) if seen > 0)
}

/// How the client came to TLS.
#[derive(PartialEq, Eq)]
enum Handshake {
    Asked,
    /// Without asking; then ALPN has to say what is spoken, or a client of another protocol might be fooled.
    Direct,
}

async fn encrypt(stream: ClientStream, gateway: &Gateway, handshake: Handshake) -> Result<ClientStream, Refused> {
    let (ClientStream::Tcp(stream), Some(tls)) = (stream, gateway.tls()) else { return Err(None) };
    let stream = tls.acceptor.accept(stream).await.map_err(|error| {
        tracing::info!(error = error.to_string(), "a TLS handshake failed");
        None
    })?;
    if handshake == Handshake::Direct && stream.get_ref().1.alpn_protocol() != Some(ALPN) {
        return Err(None);
    }
    Ok(ClientStream::Tls(Box::new(stream)))
}
