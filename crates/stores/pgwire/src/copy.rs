//! COPY data in pieces: gathered from the server's many messages, framed into few for the other server.
//!
//! A server sends one `CopyData` per row. Forwarding them as they are would cost the receiver a message per
//! row, and holding one whole would cost memory of a row's size, so boundaries are dropped on the way in and
//! made anew on the way out; the protocol gives them no meaning.

use bytes::{Buf, BufMut, BytesMut};

use crate::CodecError;
use crate::frame::{FrameDecoder, header, tag};

/// Why gathering ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gathered {
    /// The piece has the wanted size.
    Full,
    /// The buffer is used up.
    NeedsBytes,
    /// A message other than `CopyData` comes next; take it with [`FrameDecoder::decode`].
    OtherMessage,
}

impl FrameDecoder {
    /// Moves copy data from the buffer to the end of `piece` until that has `wanted` bytes.
    ///
    /// # Errors
    /// When a length is impossible.
    pub fn gather_copy_data(
        &mut self,
        buffer: &mut BytesMut,
        piece: &mut BytesMut,
        wanted: usize,
    ) -> Result<Gathered, CodecError> {
        loop {
            let room = wanted.saturating_sub(piece.len());
            let length = self.open_copy_data.min(room).min(buffer.len());
            if let Some(bytes) = buffer.get(..length) {
                piece.extend_from_slice(bytes);
                buffer.advance(length);
                self.open_copy_data -= length;
            }
            if piece.len() >= wanted {
                return Ok(Gathered::Full);
            }
            if self.open_copy_data > 0 {
                return Ok(Gathered::NeedsBytes);
            }
            match header(buffer)? {
                None => return Ok(Gathered::NeedsBytes),
                Some((tag::COPY_DATA, length)) => {
                    buffer.advance(5);
                    self.open_copy_data = length;
                }
                Some(_) => return Ok(Gathered::OtherMessage),
            }
        }
    }
}

/// Collects copy data into `CopyData` messages of a useful size.
#[derive(Debug, Default)]
pub struct CopyDataWriter {
    body: BytesMut,
}

impl CopyDataWriter {
    /// Bodies of about this many bytes are sent.
    pub const BODY_BYTES: usize = 128 << 10;

    /// Adds data; returns how much was taken, which is less than all when the message is full.
    pub fn push(&mut self, data: &[u8]) -> usize {
        let length = data.len().min(Self::BODY_BYTES.saturating_sub(self.body.len()));
        self.body.extend_from_slice(data.get(..length).unwrap_or_default());
        length
    }

    /// Whether the message should go out now.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.body.len() >= Self::BODY_BYTES
    }

    /// Writes the collected message, if it holds anything, to `out`.
    ///
    /// # Errors
    /// Never in practice: the body is far smaller than the length field allows.
    pub fn flush(&mut self, out: &mut BytesMut) -> Result<(), CodecError> {
        copy_data(&self.body, out)?;
        self.body.clear();
        Ok(())
    }

    /// Writes data as a message of its own to `out`, where it is large enough for one and nothing waits before it; says
    /// whether it was.
    ///
    /// # Errors
    /// When the data are larger than the length field allows.
    pub fn pass(&self, data: &[u8], out: &mut BytesMut) -> Result<bool, CodecError> {
        let fits = self.body.is_empty() && data.len() >= Self::BODY_BYTES;
        if fits {
            copy_data(data, out)?;
        }
        Ok(fits)
    }
}

/// Writes a message, unless it would hold nothing.
fn copy_data(body: &[u8], out: &mut BytesMut) -> Result<(), CodecError> {
    if body.is_empty() {
        return Ok(());
    }
    let length = i32::try_from(body.len() + 4).map_err(|_| CodecError::TooLargeToSend { field: "copy message" })?;
    out.reserve(body.len() + 5);
    out.put_u8(b'd');
    out.put_i32(length);
    out.extend_from_slice(body);
    Ok(())
}
