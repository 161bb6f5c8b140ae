//! What a socket has not taken yet.
//!
//! Its size is bounded by whoever fills it: nothing is read for a side whose outbox is not empty.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

/// An empty outbox keeps no more than this.
const KEPT_BYTES: usize = 4 << 10;

/// Bytes on their way to a socket.
#[derive(Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    needs_flush: bool,
}

impl Outbox {
    /// Whether the socket has taken everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.needs_flush
    }

    /// The buffer, for messages that are written into it.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Writes at once what the socket takes, and keeps the rest.
    pub(crate) fn write(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut (impl AsyncWrite + Unpin),
        mut bytes: &[u8],
    ) -> io::Result<()> {
        if self.bytes.is_empty() {
            while !bytes.is_empty() {
                match Pin::new(&mut *stream).poll_write(context, bytes) {
                    Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                    Poll::Ready(Ok(sent)) => bytes = bytes.get(sent..).unwrap_or_default(),
                    Poll::Ready(Err(error)) => return Err(error),
                    Poll::Pending => break,
                }
            }
            if bytes.is_empty() {
                return self.flush_stream(context, stream);
            }
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes until the socket has taken everything.
    pub(crate) fn poll_flush(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = self.bytes.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut *stream).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(sent)) => self.sent += sent,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.sent = 0;
        if self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
        } else {
            self.bytes.clear();
        }
        match self.flush_stream(context, stream) {
            Ok(()) if self.needs_flush => Poll::Pending,
            other => Poll::Ready(other),
        }
    }

    /// Under TLS, written is not sent.
    fn flush_stream(&mut self, context: &mut Context<'_>, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        match Pin::new(stream).poll_flush(context) {
            Poll::Ready(result) => {
                self.needs_flush = false;
                result
            }
            Poll::Pending => {
                self.needs_flush = true;
                Ok(())
            }
        }
    }
}
