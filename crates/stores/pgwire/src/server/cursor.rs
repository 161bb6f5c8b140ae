//! Reads fields from borrowed bytes; it copies nothing and never reads past their end.

use std::ffi::CStr;

use crate::CodecError;

/// The longest name of a statement, portal or mechanism that is accepted, in bytes. Postgres itself keeps 63.
pub(crate) const NAME_BYTES_MAX: usize = 10_000;

/// A cursor over one message's body.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    message: &'static str,
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(message: &'static str, bytes: &'a [u8]) -> Self {
        Self { message, bytes }
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], CodecError> {
        let (head, rest) = self.bytes.split_first_chunk::<N>().ok_or_else(|| self.truncated(field))?;
        self.bytes = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, CodecError> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, CodecError> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, CodecError> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub(crate) fn i32(&mut self, field: &'static str) -> Result<i32, CodecError> {
        self.array(field).map(i32::from_be_bytes)
    }

    /// Bytes up to the next zero byte, which is taken too; `None`, and nothing taken, when there is none.
    pub(crate) fn until_zero(&mut self) -> Option<&'a [u8]> {
        let text = CStr::from_bytes_until_nul(self.bytes).ok()?;
        self.bytes = self.bytes.get(text.count_bytes() + 1..)?;
        Some(text.to_bytes())
    }

    /// Bytes that end with a zero byte.
    pub(crate) fn text(&mut self, field: &'static str) -> Result<&'a [u8], CodecError> {
        self.until_zero().ok_or_else(|| self.truncated(field))
    }

    /// UTF-8 that ends with a zero byte.
    pub(crate) fn utf8(&mut self, field: &'static str) -> Result<&'a str, CodecError> {
        let text = self.text(field)?;
        str::from_utf8(text).map_err(|_| CodecError::NotUtf8 { message: self.message, field })
    }

    /// A name of bounded length that ends with a zero byte; `None` when its end is not there yet.
    pub(crate) fn partial_name(&mut self, field: &'static str) -> Result<Option<&'a [u8]>, CodecError> {
        let available = self.bytes.len();
        let name = self.until_zero();
        if name.map_or(available, <[u8]>::len) > NAME_BYTES_MAX {
            return Err(CodecError::NameTooLong { message: self.message, field, limit: NAME_BYTES_MAX });
        }
        Ok(name)
    }

    /// A name of bounded length that ends with a zero byte.
    pub(crate) fn name(&mut self, field: &'static str) -> Result<&'a [u8], CodecError> {
        self.partial_name(field)?.ok_or_else(|| self.truncated(field))
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// Says that the message is over.
    pub(crate) fn finish(&self) -> Result<(), CodecError> {
        match self.bytes.len() {
            0 => Ok(()),
            extra => Err(CodecError::TooLong { message: self.message, extra }),
        }
    }

    pub(crate) fn invalid(&self, field: &'static str) -> CodecError {
        CodecError::Invalid { message: self.message, field }
    }

    pub(crate) fn truncated(&self, field: &'static str) -> CodecError {
        CodecError::Truncated { message: self.message, field }
    }
}
