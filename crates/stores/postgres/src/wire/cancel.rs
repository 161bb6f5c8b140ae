//! Cancelling a statement from outside, as the protocol wants it: on a connection of its own.

use std::time::Duration;

use atalaya_pgwire::{self as pgwire, BackendMessage};
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::connection::WireConnection;
use super::stream::Stream;

const PATIENCE: Duration = Duration::from_secs(5);
/// How long the end of a cancelled statement is waited for.
const END: Duration = Duration::from_secs(15);

/// How a statement ended that nobody waits for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GivenUp {
    /// Its effects are undone.
    Cancelled,
    /// It was faster than the cancel request.
    Completed,
    /// The server has not said; the connection cannot be used.
    Unknown,
}

impl WireConnection {
    /// Cancels the statement under way and waits for its end; afterwards the session can be used again.
    ///
    /// Closing the socket instead is no end: a server that waits for a lock does not notice it.
    pub(crate) async fn give_up_statement(&mut self) -> GivenUp {
        self.cancel_statement().await;
        let end = async {
            let mut ended = GivenUp::Completed;
            loop {
                match self.receive("a cancelled statement").await {
                    Ok(BackendMessage::ReadyForQuery(_)) => return ended,
                    Ok(BackendMessage::Error(_)) => ended = GivenUp::Cancelled,
                    Ok(_) => {}
                    Err(_) => return GivenUp::Unknown,
                }
            }
        };
        timeout(END, end).await.unwrap_or(GivenUp::Unknown)
    }

    /// Asks the server to cancel this session's statement. It promises nothing, so neither does this.
    pub(super) async fn cancel_statement(&self) {
        let request = async {
            let mut stream = Stream::open(&self.url).await.ok()?;
            let mut bytes = BytesMut::new();
            pgwire::cancel_request(self.process_id, self.secret_key, &mut bytes);
            stream.write_all_buf(&mut bytes).await.ok()?;
            stream.flush().await.ok()?;
            // The server closes once the signal was sent.
            stream.read_u8().await.ok()
        };
        if timeout(PATIENCE, request).await.is_err() {
            tracing::warn!(process_id = self.process_id, "the server did not take a cancel request in time");
        }
    }
}
