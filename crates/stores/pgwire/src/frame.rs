//! Cuts a byte stream from a server into messages.
//!
//! A message is a tag byte, a length of four bytes that counts itself, and a body. Bodies share the read
//! buffer's memory. `CopyData` may be of any size (one row is one message), so a copy is read through
//! [`FrameDecoder::gather_copy_data`], which hands out pieces of a message before all of it is there.

use bytes::{Buf, Bytes, BytesMut};

use crate::CodecError;

/// Tag bytes of the messages a server sends.
pub mod tag {
    #![expect(missing_docs, reason = "each is named as in the manual's chapter on message formats")]
    pub const AUTHENTICATION: u8 = b'R';
    pub const BACKEND_KEY_DATA: u8 = b'K';
    pub const COMMAND_COMPLETE: u8 = b'C';
    pub const COPY_BOTH_RESPONSE: u8 = b'W';
    pub const COPY_DATA: u8 = b'd';
    pub const COPY_DONE: u8 = b'c';
    pub const COPY_IN_RESPONSE: u8 = b'G';
    pub const COPY_OUT_RESPONSE: u8 = b'H';
    pub const DATA_ROW: u8 = b'D';
    pub const EMPTY_QUERY_RESPONSE: u8 = b'I';
    pub const ERROR_RESPONSE: u8 = b'E';
    pub const NEGOTIATE_PROTOCOL_VERSION: u8 = b'v';
    pub const NOTICE_RESPONSE: u8 = b'N';
    pub const NOTIFICATION_RESPONSE: u8 = b'A';
    pub const PARAMETER_STATUS: u8 = b'S';
    pub const READY_FOR_QUERY: u8 = b'Z';
    pub const ROW_DESCRIPTION: u8 = b'T';
}

const HEADER_BYTES: usize = 5;
const LENGTH_BYTES: usize = 4;

/// The largest body accepted, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLimits {
    /// For every message but `CopyData`.
    pub message_bytes: usize,
    /// For `CopyData` read whole, as replication does. Pieces gathered from a copy have no such limit.
    pub copy_data_bytes: usize,
}

impl Default for FrameLimits {
    /// 64 MiB, and for `CopyData` what the protocol's length field can say: a row of 1 GB is legal.
    fn default() -> Self {
        Self { message_bytes: 64 << 20, copy_data_bytes: 0x7FFF_FFFF }
    }
}

/// One whole message: its tag and its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The tag byte.
    pub tag: u8,
    /// Everything after the length.
    pub body: Bytes,
}

/// Finds messages in a growing buffer.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    limits: FrameLimits,
    /// Bytes of a `CopyData` body whose beginning was already handed out.
    pub(crate) open_copy_data: usize,
}

impl FrameDecoder {
    /// A decoder at the start of a stream.
    #[must_use]
    pub fn new(limits: FrameLimits) -> Self {
        Self { limits, open_copy_data: 0 }
    }

    /// Takes the next whole message from the buffer; `None` when more bytes are needed.
    ///
    /// # Errors
    /// When a length is impossible or over the limit. The stream is of no further use then.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, CodecError> {
        let Some((tag, length)) = self.checked_header(buffer)? else {
            return Ok(None);
        };
        if buffer.len() - HEADER_BYTES < length {
            return Ok(None);
        }
        buffer.advance(HEADER_BYTES);
        Ok(Some(Frame { tag, body: buffer.split_to(length).freeze() }))
    }

    /// Whether [`Self::decode`] would return a message without more bytes.
    #[must_use]
    pub fn has_whole_message(&self, buffer: &BytesMut) -> bool {
        header(buffer).ok().flatten().is_some_and(|(_, length)| buffer.len() - HEADER_BYTES >= length)
    }

    /// How many bytes the message at the buffer's start still lacks; 0 when it is whole or not begun.
    #[must_use]
    pub fn missing_bytes(&self, buffer: &BytesMut) -> usize {
        let whole = header(buffer).ok().flatten().map_or(0, |(_, length)| length.saturating_add(HEADER_BYTES));
        whole.saturating_sub(buffer.len())
    }

    fn checked_header(&self, buffer: &BytesMut) -> Result<Option<(u8, usize)>, CodecError> {
        let Some((tag, announced)) = header(buffer)? else {
            return Ok(None);
        };
        let limit = match tag {
            tag::COPY_DATA => self.limits.copy_data_bytes,
            _ => self.limits.message_bytes,
        };
        if announced > limit {
            return Err(CodecError::OverLimit { tag, announced, limit });
        }
        Ok(Some((tag, announced)))
    }
}

/// Tag and body length of the message at the buffer's start.
pub(crate) fn header(buffer: &BytesMut) -> Result<Option<(u8, usize)>, CodecError> {
    let Some((&[tag, a, b, c, d], _)) = buffer.split_first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let length = i32::from_be_bytes([a, b, c, d]);
    usize::try_from(length)
        .ok()
        .and_then(|length| length.checked_sub(LENGTH_BYTES))
        .map(|length| Some((tag, length)))
        .ok_or(CodecError::ImpossibleLength { tag })
}
