//! Frames messages at the end of a buffer: the length is filled in when the body is known.

use super::header::LENGTH_MAX;
use crate::CodecError;

const LENGTH_BYTES: usize = 4;

/// Writes a message whose body is known to be small.
pub(crate) fn message(tag: u8, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    body(out);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start..start + LENGTH_BYTES) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

/// Writes the header of a message whose body of so many bytes follows.
pub(crate) fn header(tag: u8, body_bytes: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let length = body_bytes
        .checked_add(LENGTH_BYTES)
        .and_then(|length| u32::try_from(length).ok())
        .filter(|length| *length <= LENGTH_MAX)
        .ok_or(CodecError::TooLargeToSend { field: "message" })?;
    out.push(tag);
    out.extend_from_slice(&length.to_be_bytes());
    Ok(())
}

/// Writes bytes and the zero that ends them.
pub(crate) fn terminated(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(bytes);
    out.push(0);
}
