//! Cancelling a statement from outside, as the protocol wants it: on a connection of its own.

use std::time::Duration;

use atalaya_estate::ConnectionUrl;
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

/// A session whose statement can be cancelled from outside.
#[derive(Clone)]
pub struct CancelTarget {
    pub(super) url: ConnectionUrl,
    pub(super) process_id: i32,
    pub(super) secret_key: i32,
}

impl CancelTarget {
    /// Asks the server to cancel the session's statement, and waits until the server has closed the connection by
    /// which it was asked: the signal has been sent then, and cannot meet a later statement's start any more.
    ///
    /// `false` when that was not seen in time: a signal may still come. That there was a statement to cancel is never
    /// promised.
    pub async fn cancel(&self) -> bool {
        let request = async {
            let Ok(mut stream) = Stream::open(&self.url).await else { return true };
            let mut bytes = BytesMut::new();
            pgwire::cancel_request(self.process_id, self.secret_key, &mut bytes);
            if stream.write_all_buf(&mut bytes).await.is_err() || stream.flush().await.is_err() {
                return false;
            }
            // The server closes once the signal was sent.
            let _closed = stream.read_u8().await;
            true
        };
        let settled = timeout(PATIENCE, request).await;
        if settled.is_err() {
            tracing::warn!(process_id = self.process_id, "the server did not take a cancel request in time");
        }
        settled.unwrap_or(false)
    }

    /// The server process of the session, as in `pg_stat_activity.pid`.
    #[must_use]
    pub fn process_id(&self) -> i32 {
        self.process_id
    }
}

impl std::fmt::Debug for CancelTarget {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("CancelTarget").field("process_id", &self.process_id).finish_non_exhaustive()
    }
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

    /// Asks the server to cancel this session's statement.
    pub(super) async fn cancel_statement(&self) {
        let target = CancelTarget { url: self.url.clone(), process_id: self.process_id, secret_key: self.secret_key };
        let _settled = target.cancel().await;
    }
}
