//! The read buffer: large reads, growth only as bytes arrive, and memory given back after a large message.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Room for one read.
const READ_BYTES: usize = 256 << 10;

#[derive(Default)]
pub(crate) struct ReadBuffer {
    pub(crate) bytes: BytesMut,
    has_grown: bool,
}

impl ReadBuffer {
    /// Reads once; returns how many bytes came, 0 at the end of the stream. Nothing is lost when the future is
    /// dropped. `missing` is what the message under way still lacks.
    pub(crate) async fn fill(&mut self, stream: &mut (impl AsyncRead + Unpin), missing: usize) -> io::Result<usize> {
        if self.has_grown && missing < READ_BYTES && self.bytes.len() < READ_BYTES {
            // The large message was taken; its memory goes with the slices that share it.
            let mut fresh = BytesMut::with_capacity(2 * READ_BYTES);
            fresh.extend_from_slice(&self.bytes);
            self.bytes = fresh;
            self.has_grown = false;
        }
        // A peer can announce a gigabyte and send nothing, so room grows with what has really come.
        let room = missing.clamp(READ_BYTES / 4, READ_BYTES.max(self.bytes.len()));
        if self.bytes.capacity() - self.bytes.len() < room {
            self.bytes.reserve(room.max(READ_BYTES));
            self.has_grown |= self.bytes.len() + room > 2 * READ_BYTES;
        }
        stream.read_buf(&mut self.bytes).await
    }
}
