//! Cancelling a statement from outside, as the protocol wants it: on a connection of its own.

use std::time::Duration;

use atalaya_pgwire as pgwire;
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::connection::WireConnection;
use super::stream::Stream;

const PATIENCE: Duration = Duration::from_secs(5);

impl WireConnection {
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
