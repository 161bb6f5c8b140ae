//! Copies from one server to another, piece by piece.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::connection::WireConnection;
use super::copy_in::CopyIn;
use super::copy_out::CopyOut;
use super::error::WireError;

/// Pieces between reader and writer: enough to overlap both, half a megabyte at most.
const PIECES: usize = 4;
/// How long a target may take to give a copy up; it may be waiting for a lock.
const ABORT_PATIENCE: Duration = Duration::from_secs(10);

/// What a copy moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CopyTotals {
    /// Rows, as counted alike by source and target.
    pub rows: u64,
    /// Bytes of copy data.
    pub bytes: u64,
}

/// Copies what `copy_out_sql` yields on the source into `copy_in_sql` on the target. Reading and writing overlap;
/// memory is under a megabyte whatever the size of rows. `on_bytes` is told how many bytes more were handed to
/// the target, after each piece.
///
/// # Errors
/// [`WireError::CopySource`] or [`WireError::CopyTarget`] says which side failed; the other side's copy is then
/// given up, and its session is usable again (in a transaction: after ROLLBACK). [`WireError::RowsDiffer`] when
/// both ended well with different counts: the target's transaction must not be committed then.
pub async fn pipe_copy(
    source: &mut WireConnection,
    copy_out_sql: &str,
    target: &mut WireConnection,
    copy_in_sql: &str,
    on_bytes: impl FnMut(u64),
) -> Result<CopyTotals, WireError> {
    let mut reading = source.copy_out(copy_out_sql).await.map_err(from_source)?;
    let mut writing = match target.copy_in(copy_in_sql).await {
        Ok(writing) => writing,
        Err(error) => {
            reading.cancel().await;
            return Err(from_target(error));
        }
    };
    let bytes = match carry(&mut reading, &mut writing, on_bytes).await {
        Ok(bytes) => bytes,
        Err(error @ WireError::CopySource(_)) => {
            // The server undoes the copy in any case; in good order the session stays usable.
            match timeout(ABORT_PATIENCE, writing.abort("the copy failed on the source")).await {
                Ok(Ok(())) => {}
                Ok(Err(second)) => {
                    tracing::debug!(error = %second, "the target's copy ended with its connection")
                }
                Err(_) => tracing::debug!("the target did not give the copy up in time"),
            }
            return Err(error);
        }
        Err(error) => {
            reading.cancel().await;
            return Err(error);
        }
    };
    let target_rows = writing.finish().await.map_err(from_target)?;
    let source_rows = reading.rows();
    if source_rows != target_rows {
        return Err(WireError::RowsDiffer { source_rows, target_rows });
    }
    Ok(CopyTotals { rows: target_rows, bytes })
}

async fn carry(
    reading: &mut CopyOut<'_>,
    writing: &mut CopyIn<'_>,
    mut on_bytes: impl FnMut(u64),
) -> Result<u64, WireError> {
    let (sender, mut receiver) = mpsc::channel::<Bytes>(PIECES);
    let read = pin!(async move {
        while let Some(piece) = reading.next().await.map_err(from_source)? {
            if sender.send(piece).await.is_err() {
                break;
            }
        }
        Ok::<(), WireError>(())
    });
    let mut write = pin!(async move {
        let mut total = 0;
        while let Some(piece) = receiver.recv().await {
            writing.send(&piece).await.map_err(from_target)?;
            let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            total += length;
            on_bytes(length);
        }
        Ok(total)
    });
    tokio::select! {
        // The writer ends first only by failing: its channel closes when the reader has ended.
        biased;
        read = read => read?,
        written = &mut write => return written,
    }
    write.await
}

fn from_source(error: WireError) -> WireError {
    WireError::CopySource(Box::new(error))
}

fn from_target(error: WireError) -> WireError {
    WireError::CopyTarget(Box::new(error))
}
