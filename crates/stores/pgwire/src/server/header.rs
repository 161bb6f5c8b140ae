//! The five bytes before every message after the first: what a relay reads of most messages.

use crate::CodecError;

/// Bytes of a header: the tag, then a length of four bytes that counts itself.
pub const HEADER_BYTES: usize = 5;

/// The largest length accepted in a header, in bytes: 1 GiB - 1, as Postgres accepts.
pub const LENGTH_MAX: u32 = (1 << 30) - 1;

const LENGTH_BYTES: u32 = 4;

/// Tag and body length, in bytes, of the message that begins at the start of `bytes`; `None` when fewer than five
/// bytes are there. The body itself need not be.
///
/// # Errors
/// When the length is below 4 or above [`LENGTH_MAX`]. The stream is of no further use then.
#[inline]
pub fn header(bytes: &[u8]) -> Result<Option<(u8, usize)>, CodecError> {
    let Some(&[tag, a, b, c, d]) = bytes.first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    // A length below 4 wraps around to one that is over the limit, so that one comparison finds both.
    let body = u32::from_be_bytes([a, b, c, d]).wrapping_sub(LENGTH_BYTES);
    if body > LENGTH_MAX - LENGTH_BYTES {
        return Err(refused(tag, body));
    }
    usize::try_from(body).map(|body| Some((tag, body))).map_err(|_| refused(tag, body))
}

#[cold]
fn refused(tag: u8, body: u32) -> CodecError {
    let length = body.wrapping_add(LENGTH_BYTES);
    match (usize::try_from(length), usize::try_from(LENGTH_MAX)) {
        (Ok(announced), Ok(limit)) if length > LENGTH_MAX => CodecError::OverLimit { tag, announced, limit },
        _ => CodecError::ImpossibleLength { tag },
    }
}
