//! What travels inside `CopyData` during replication (manual: "Streaming Replication Protocol").

use atalaya_data::Lsn;
use bytes::{BufMut, Bytes, BytesMut};

use crate::CodecError;
use crate::reader::Reader;

/// A message of the walsender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromServer {
    /// Output of the decoding plugin.
    XLogData {
        /// Where this piece begins in the log.
        wal_start: Lsn,
        /// The end of the log on the server when it was sent.
        wal_end: Lsn,
        /// The server's clock, microseconds since 2000-01-01.
        clock_micros: i64,
        /// The plugin's message.
        payload: Bytes,
    },
    /// A sign of life.
    Keepalive {
        /// The end of the log on the server.
        wal_end: Lsn,
        /// The server's clock, microseconds since 2000-01-01.
        clock_micros: i64,
        /// The server will end the connection unless it is answered soon.
        reply_requested: bool,
    },
}

impl FromServer {
    /// Reads the body of one `CopyData`.
    ///
    /// # Errors
    /// When it is none of the two messages.
    pub fn decode(body: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new("replication", body);
        match reader.u8("type")? {
            b'w' => Ok(Self::XLogData {
                wal_start: reader.lsn("start")?,
                wal_end: reader.lsn("end")?,
                clock_micros: reader.i64("clock")?,
                payload: reader.rest(),
            }),
            b'k' => Ok(Self::Keepalive {
                wal_end: reader.lsn("end")?,
                clock_micros: reader.i64("clock")?,
                reply_requested: reader.u8("reply flag")? != 0,
            }),
            tag => Err(CodecError::UnknownTag { context: "replication", tag }),
        }
    }
}

/// The client's report of how far it is: what the server may forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandbyStatusUpdate {
    /// Received up to here.
    pub written: Lsn,
    /// Durable up to here; the slot's `confirmed_flush_lsn` follows it.
    pub flushed: Lsn,
    /// Applied up to here.
    pub applied: Lsn,
    /// The client's clock, microseconds since 2000-01-01.
    pub clock_micros: i64,
    /// Ask the server to answer at once.
    pub reply_requested: bool,
}

impl StandbyStatusUpdate {
    /// Writes the report as one `CopyData` message.
    pub fn encode(&self, out: &mut BytesMut) {
        const LENGTH: i32 = 4 + 1 + 8 * 4 + 1;
        out.put_u8(b'd');
        out.put_i32(LENGTH);
        out.put_u8(b'r');
        for position in [self.written, self.flushed, self.applied] {
            out.put_u64(position.0);
        }
        out.put_i64(self.clock_micros);
        out.put_u8(u8::from(self.reply_requested));
    }
}
