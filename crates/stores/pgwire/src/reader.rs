//! Reads fields from one message; every read is checked and every slice shares the message's memory.

use atalaya_data::Lsn;
use bytes::{Buf, Bytes};

use crate::CodecError;

/// A cursor over one message's body.
pub(crate) struct Reader {
    message: &'static str,
    bytes: Bytes,
}

macro_rules! number {
    ($name:ident, $type:ty, $get:ident) => {
        pub(crate) fn $name(&mut self, field: &'static str) -> Result<$type, CodecError> {
            self.bytes.$get().map_err(|_| self.truncated(field))
        }
    };
}

impl Reader {
    pub(crate) fn new(message: &'static str, bytes: Bytes) -> Self {
        Self { message, bytes }
    }

    number!(u8, u8, try_get_u8);
    number!(u16, u16, try_get_u16);
    number!(u32, u32, try_get_u32);
    number!(i32, i32, try_get_i32);
    number!(u64, u64, try_get_u64);
    number!(i64, i64, try_get_i64);

    pub(crate) fn lsn(&mut self, field: &'static str) -> Result<Lsn, CodecError> {
        self.u64(field).map(Lsn)
    }

    pub(crate) fn take(&mut self, length: usize, field: &'static str) -> Result<Bytes, CodecError> {
        if self.bytes.len() < length {
            return Err(self.truncated(field));
        }
        Ok(self.bytes.split_to(length))
    }

    /// Bytes whose count stands before them in four bytes.
    pub(crate) fn counted(&mut self, field: &'static str) -> Result<Bytes, CodecError> {
        let length = usize::try_from(self.u32(field)?).map_err(|_| self.truncated(field))?;
        self.take(length, field)
    }

    /// Text that ends with a zero byte.
    pub(crate) fn text(&mut self, field: &'static str) -> Result<String, CodecError> {
        let raw = self.raw_text(field)?;
        std::str::from_utf8(&raw).map(str::to_owned).map_err(|_| CodecError::NotUtf8 { message: self.message, field })
    }

    /// Text that ends with a zero byte, in whatever encoding: before login a server may use its own.
    pub(crate) fn lossy_text(&mut self, field: &'static str) -> Result<String, CodecError> {
        Ok(String::from_utf8_lossy(&self.raw_text(field)?).into_owned())
    }

    fn raw_text(&mut self, field: &'static str) -> Result<Bytes, CodecError> {
        let end = self.bytes.iter().position(|byte| *byte == 0).ok_or_else(|| self.truncated(field))?;
        let raw = self.bytes.split_to(end);
        self.bytes.advance(1);
        Ok(raw)
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn rest(self) -> Bytes {
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

    fn truncated(&self, field: &'static str) -> CodecError {
        CodecError::Truncated { message: self.message, field }
    }
}
