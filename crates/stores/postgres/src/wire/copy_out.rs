//! `COPY ... TO STDOUT` in pieces of bounded size.

use std::time::Duration;

use atalaya_pgwire::{BackendMessage, Gathered};
use bytes::{Bytes, BytesMut};
use tokio::time::timeout;

use super::connection::WireConnection;
use super::error::WireError;

/// A row of 50 MB comes as many pieces; many small rows come as one.
const PIECE_BYTES: usize = 128 << 10;
const DURING: &str = "a copy";
/// How long a cancelled copy may take to end.
const CANCEL_PATIENCE: Duration = Duration::from_secs(10);

/// A copy being read.
///
/// It must be read until [`Self::next`] returns `None`, or ended by [`Self::cancel`]; otherwise the connection
/// is of no further use.
pub struct CopyOut<'a> {
    connection: &'a mut WireConnection,
    piece: BytesMut,
    rows: u64,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Data,
    Complete,
    Ready,
    Ended,
}

impl WireConnection {
    /// Starts `COPY ... TO STDOUT`.
    ///
    /// # Errors
    /// When the statement fails or is no such copy.
    pub async fn copy_out(&mut self, sql: &str) -> Result<CopyOut<'_>, WireError> {
        self.start(sql).await?;
        match self.receive(DURING).await? {
            BackendMessage::CopyOut => {}
            BackendMessage::Error(error) => return Err(self.after_error(error, DURING).await),
            BackendMessage::CopyIn | BackendMessage::CopyBoth => {
                return Err(WireError::NotACopy("a copy to the client"));
            }
            _ => return Err(self.not_a_copy("a copy to the client").await),
        }
        Ok(CopyOut { connection: self, piece: BytesMut::new(), rows: 0, stage: Stage::Data })
    }

    /// Waits for the end of a statement that turned out to be something else.
    pub(super) async fn not_a_copy(&mut self, wanted: &'static str) -> WireError {
        loop {
            match self.receive(DURING).await {
                Ok(BackendMessage::ReadyForQuery(_)) | Err(_) => {
                    return WireError::NotACopy(wanted);
                }
                Ok(_) => {}
            }
        }
    }
}

impl CopyOut<'_> {
    /// The next piece, at most 128 KiB, cut without regard to rows. `None` only after the server said that the
    /// copy is complete; a stream that ends earlier is an error. Cancellation-safe.
    ///
    /// # Errors
    /// When the server reports an error or the connection ends.
    pub async fn next(&mut self) -> Result<Option<Bytes>, WireError> {
        while self.stage == Stage::Data {
            let connection = &mut *self.connection;
            self.piece.reserve(PIECE_BYTES - self.piece.len());
            let gathered = connection
                .frames
                .gather_copy_data(&mut connection.read.bytes, &mut self.piece, PIECE_BYTES)
                .map_err(|source| WireError::Protocol { during: DURING, source })?;
            match gathered {
                Gathered::Full => return Ok(Some(self.take_piece())),
                Gathered::NeedsBytes => self.connection.fill(DURING).await?,
                Gathered::OtherMessage => self.other_message().await?,
            }
        }
        while self.stage != Stage::Ended {
            match (self.stage, self.connection.receive(DURING).await?) {
                (Stage::Complete, BackendMessage::CommandComplete { command }) => {
                    self.rows = BackendMessage::rows_of_command(&command);
                    self.stage = Stage::Ready;
                }
                (Stage::Ready, BackendMessage::ReadyForQuery(_)) => self.stage = Stage::Ended,
                (_, BackendMessage::Error(error)) => return Err(self.failed(error).await),
                _ => return Err(WireError::Unexpected { during: DURING }),
            }
        }
        Ok(if self.piece.is_empty() { None } else { Some(self.take_piece()) })
    }

    /// Rows the server counted; known after [`Self::next`] returned `None`.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Ends the copy before its end, by a cancel request of its own connection. The session can be used again
    /// afterwards (in a transaction: after ROLLBACK) unless the server did not answer in time.
    pub async fn cancel(mut self) {
        self.connection.cancel_statement().await;
        let _ = timeout(CANCEL_PATIENCE, async { while let Ok(Some(_)) = self.next().await {} }).await;
    }

    /// Takes one message that is no copy data, and never more: what follows may be a row of any size.
    async fn other_message(&mut self) -> Result<(), WireError> {
        let Some(frame) = self.connection.decode_frame(DURING)? else {
            return self.connection.fill(DURING).await;
        };
        let sorted = self.connection.sort_out(frame);
        match sorted.map_err(|source| WireError::Protocol { during: DURING, source })? {
            None => Ok(()),
            Some(BackendMessage::CopyDone) => {
                self.stage = Stage::Complete;
                Ok(())
            }
            Some(BackendMessage::Error(error)) => Err(self.failed(error).await),
            Some(_) => Err(WireError::Unexpected { during: DURING }),
        }
    }

    fn take_piece(&mut self) -> Bytes {
        std::mem::take(&mut self.piece).freeze()
    }

    async fn failed(&mut self, error: atalaya_pgwire::ServerError) -> WireError {
        self.stage = Stage::Ended;
        self.piece.clear();
        self.connection.after_error(error, DURING).await
    }
}
