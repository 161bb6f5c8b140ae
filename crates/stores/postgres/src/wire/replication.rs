//! Logical replication: changes in, positions out.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use atalaya_data::{Lsn, quote_identifier, quote_literal};
use atalaya_pgwire::replication::{FromServer, StandbyStatusUpdate};
use atalaya_pgwire::{self as pgwire, BackendMessage};
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::time::timeout;

use super::connection::{WireConnection, is_copy_data};
use super::error::WireError;

const DURING: &str = "replication";
const GOODBYE: Duration = Duration::from_secs(5);
/// 2000-01-01 in seconds since 1970-01-01.
const POSTGRES_EPOCH: Duration = Duration::from_secs(946_684_800);

/// Something a walsender sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplicationEvent {
    /// Output of the decoding plugin.
    Data {
        /// Where it begins in the log.
        wal_start: Lsn,
        /// The end of the log on the server.
        wal_end: Lsn,
        /// The plugin's message; it shares the read buffer's memory, so copy what is kept long.
        payload: Bytes,
    },
    /// A sign of life.
    Keepalive {
        /// All up to here was sent or needs not be.
        wal_end: Lsn,
        /// The server ends the connection unless it is answered soon.
        reply_requested: bool,
    },
}

/// A stream of changes from a replication slot.
#[derive(Debug)]
pub struct ReplicationStream {
    connection: WireConnection,
}

impl WireConnection {
    /// Starts streaming from a logical slot; this connection has to be one with [`super::WireOptions::replication`].
    /// Note that a server silently begins at the slot's `confirmed_flush_lsn` where that is later than `start`:
    /// compare both before.
    ///
    /// # Errors
    /// When the server refuses: no such slot, slot in use, publication missing (seen only with the first
    /// change), option unknown.
    pub async fn start_replication(
        mut self,
        slot: &str,
        start: Lsn,
        options: &[(String, String)],
    ) -> Result<ReplicationStream, WireError> {
        let mut command = format!("START_REPLICATION SLOT {} LOGICAL {start}", quote_identifier(slot));
        if !options.is_empty() {
            let options: Vec<String> = options
                .iter()
                .map(|(name, value)| format!("{} {}", quote_identifier(name), quote_literal(value)))
                .collect();
            command.push_str(&format!(" ({})", options.join(", ")));
        }
        self.start(&command).await?;
        match self.receive(DURING).await? {
            BackendMessage::CopyBoth => Ok(ReplicationStream { connection: self }),
            BackendMessage::Error(error) => Err(self.after_error(error, DURING).await),
            _ => Err(WireError::Unexpected { during: DURING }),
        }
    }
}

impl ReplicationStream {
    /// The next event. Cancellation-safe: no event is lost when the future is dropped.
    ///
    /// # Errors
    /// When the server reports an error or ends the stream, in good order or not.
    pub async fn next(&mut self) -> Result<ReplicationEvent, WireError> {
        loop {
            if let Some(event) = self.next_buffered()? {
                return Ok(event);
            }
            self.connection.fill(DURING).await?;
        }
    }

    /// Whether a whole message is already in memory. Asks the system nothing.
    #[must_use]
    pub fn has_complete_message(&self) -> bool {
        self.connection.has_message()
    }

    /// The next event if it is there: in memory, or after reading what the socket has.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn try_next(&mut self) -> Result<Option<ReplicationEvent>, WireError> {
        loop {
            if let Some(event) = self.next_buffered()? {
                return Ok(Some(event));
            }
            match self.connection.fill(DURING).now_or_never() {
                Some(result) => result?,
                None => return Ok(None),
            }
        }
    }

    /// Tells the server that everything before `flushed` is durable and applied; the slot moves up to it. Call it
    /// only with positions that are stored.
    ///
    /// # Errors
    /// When the connection ended.
    pub async fn send_status(&mut self, flushed: Lsn, reply_requested: bool) -> Result<(), WireError> {
        let status = StandbyStatusUpdate {
            written: flushed,
            flushed,
            applied: flushed,
            clock_micros: clock_micros(),
            reply_requested,
        };
        status.encode(&mut self.connection.write);
        self.connection.flush(DURING).await
    }

    /// Ends the stream in good order, so that the slot is free when this returns or soon after.
    pub async fn finish(mut self) {
        let goodbye = async {
            pgwire::copy_done(&mut self.connection.write);
            self.connection.flush(DURING).await?;
            // Changes under way are thrown away: they come again from the position last reported.
            loop {
                match self.connection.receive(DURING).await? {
                    BackendMessage::ReadyForQuery(_) => return Ok::<(), WireError>(()),
                    BackendMessage::Error(error) => return Err(WireError::server(error)),
                    _ => {}
                }
            }
        };
        match timeout(GOODBYE, goodbye).await {
            Ok(Ok(())) => self.connection.close().await,
            Ok(Err(error)) => tracing::debug!(%error, "replication did not end in good order"),
            Err(_) => tracing::debug!("the server did not end replication in time"),
        }
    }

    fn next_buffered(&mut self) -> Result<Option<ReplicationEvent>, WireError> {
        let protocol = |source| WireError::Protocol { during: DURING, source };
        while let Some(frame) = self.connection.decode_frame(DURING)? {
            if is_copy_data(&frame) {
                return Ok(Some(match FromServer::decode(frame.body).map_err(protocol)? {
                    FromServer::XLogData { wal_start, wal_end, payload, .. } => {
                        ReplicationEvent::Data { wal_start, wal_end, payload }
                    }
                    FromServer::Keepalive { wal_end, reply_requested, .. } => {
                        ReplicationEvent::Keepalive { wal_end, reply_requested }
                    }
                }));
            }
            match self.connection.sort_out(frame).map_err(protocol)? {
                None => {}
                Some(BackendMessage::Error(error)) => return Err(WireError::server(error)),
                Some(BackendMessage::CopyDone | BackendMessage::CommandComplete { .. }) => {
                    return Err(WireError::ReplicationEnded);
                }
                Some(_) => return Err(WireError::Unexpected { during: DURING }),
            }
        }
        Ok(None)
    }
}

fn clock_micros() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH + POSTGRES_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}
