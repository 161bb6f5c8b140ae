//! The protocol, whatever carries it: a request a line, an answer a line, both JSON.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use super::{Answer, Refused, Request};
use crate::run::Control;

/// Administrators at once, by each way in.
pub(super) const CONNECTIONS_MAX: usize = 32;
/// A request has no more bytes than this.
const REQUEST_BYTES_MAX: u64 = 64 << 10;
/// An answer has no more bytes than this; a status grows with the clients that keep a server.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// A connection that says nothing.
const SILENCE: Duration = Duration::from_secs(60);

/// How an administrator came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By the file system of this machine.
    Local,
    /// By mutual TLS.
    Network,
}

/// Answers one administrator, until it leaves or says what cannot be read.
pub(super) async fn converse<Stream>(stream: Stream, way: Way, control: &Control) -> io::Result<()>
where
    Stream: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut stream).take(REQUEST_BYTES_MAX);
        let Ok(read) = timeout(SILENCE, limited.read_until(b'\n', &mut line)).await else { return Ok(()) };
        if read? == 0 {
            return Ok(());
        }
        let answer = match serde_json::from_slice(&line) {
            // Another gateway takes this one's place on the same machine or not at all.
            Ok(Request::HandOver) if way == Way::Network => Answer::Refused(Refused::Unknown),
            Ok(request) => control.answer(request).await,
            Err(_) => Answer::Refused(Refused::Unknown),
        };
        let mut out = serde_json::to_vec(&answer)?;
        out.push(b'\n');
        let sent = async {
            stream.write_all(&out).await?;
            stream.flush().await
        };
        timeout(SILENCE, sent).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        if line.last() != Some(&b'\n') {
            // Too long, or the last one: what follows is no request.
            return Ok(());
        }
    }
}

/// Asks one thing. The caller sets a limit on the time.
pub(super) async fn ask<Stream>(mut stream: Stream, request: &Request) -> io::Result<Answer>
where
    Stream: AsyncRead + AsyncWrite + Unpin,
{
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    BufReader::new(stream).take(ANSWER_BYTES_MAX).read_until(b'\n', &mut answer).await?;
    if answer.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ended the connection without an answer"));
    }
    Ok(serde_json::from_slice(&answer)?)
}
