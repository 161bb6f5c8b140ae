//! What a gateway reads of a server's messages besides relaying them; bodies without the header, borrowed.
//!
//! Unlike [`ServerError`](crate::ServerError) the fields of an error are handed out as they are, row values and all:
//! they are for the client that caused it, never for a log.

use crate::CodecError;

use super::cursor::Cursor;
use super::first::CancelKey;

/// The fields of an `ErrorResponse` or `NoticeResponse`, each with the byte that says what it is.
///
/// Ends at the list's final zero, at the body's end, or at a field that has no end: a server may send anything, and
/// no field, not even the SQLSTATE, is sure to be there.
#[derive(Debug, Clone)]
pub struct ErrorFields<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Iterator for ErrorFields<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut cursor = self.cursor.clone();
        let kind = cursor.u8("field type").ok().filter(|kind| *kind != 0)?;
        let value = cursor.until_zero()?;
        self.cursor = cursor;
        Some((kind, value))
    }
}

/// The fields of an `ErrorResponse` or `NoticeResponse`.
#[must_use]
pub fn error_fields(body: &[u8]) -> ErrorFields<'_> {
    ErrorFields { cursor: Cursor::new("error", body) }
}

/// The first field of one kind, such as `C` for the SQLSTATE.
#[must_use]
pub fn error_field(body: &[u8], kind: u8) -> Option<&[u8]> {
    error_fields(body).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// Reads a `BackendKeyData`, with the secrets of 4 to 256 bytes that protocol 3.2 has.
///
/// # Errors
/// When the secret is shorter or longer.
pub fn backend_key_data(body: &[u8]) -> Result<CancelKey, CodecError> {
    CancelKey::read(Cursor::new("backend key", body))
}

/// A setting that the server reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterStatus<'a> {
    /// The setting.
    pub name: &'a [u8],
    /// Its value now.
    pub value: &'a [u8],
}

impl<'a> ParameterStatus<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// When it is not two texts.
    pub fn decode(body: &'a [u8]) -> Result<Self, CodecError> {
        let mut cursor = Cursor::new("parameter status", body);
        let (name, value) = (cursor.text("name")?, cursor.text("value")?);
        cursor.finish()?;
        Ok(Self { name, value })
    }
}

/// A `NegotiateProtocolVersion`: what the server does not know of what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NegotiatedVersion<'a> {
    /// The minor version of protocol 3 that the session has.
    pub minor: u16,
    /// Protocol options that have no effect.
    pub unknown_options: Vec<&'a [u8]>,
}

impl<'a> NegotiatedVersion<'a> {
    /// Reads a body. The manual says that the version is the minor one, servers send the major one before it;
    /// both are read.
    ///
    /// # Errors
    /// When the major version is not 3, or the options are not as many as announced.
    pub fn decode(body: &'a [u8]) -> Result<Self, CodecError> {
        let mut cursor = Cursor::new("protocol negotiation", body);
        let (major, minor) = (cursor.u16("version")?, cursor.u16("version")?);
        if !matches!(major, 0 | 3) {
            return Err(cursor.invalid("version"));
        }
        let count = cursor.u32("option count")?;
        let mut unknown_options = Vec::new();
        for _ in 0..count {
            unknown_options.push(cursor.text("option")?);
        }
        cursor.finish()?;
        Ok(Self { minor, unknown_options })
    }
}
