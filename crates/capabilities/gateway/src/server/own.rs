//! A statement of the gateway's own, outside a client's transaction.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use atalaya_pgwire::server::{HEADER_BYTES, ParameterStatus, header, rewrite};
use atalaya_pgwire::{CodecError, note_reported, tag};
use tokio::io::{AsyncRead, ReadBuf};

use super::Server;
use crate::error::ServerFailure;
use crate::io::with_scratch;
use crate::settings::Settings;

/// An answer to a statement of ours has no more bytes than this.
const ANSWER_BYTES_MAX: usize = 1 << 20;

impl Server {
    /// Gives the session a client's settings. The caller sets a limit on the time.
    ///
    /// # Errors
    /// With the server's own words when it refuses one; the connection is of no further use then.
    pub(crate) async fn adopt(&mut self, settings: &Arc<Settings>) -> Result<(), ServerFailure> {
        if let Some(sql) = self.label.statement_to(settings) {
            self.run(&sql).await?;
        }
        self.label = Arc::clone(settings);
        Ok(())
    }

    /// Runs a statement whose rows nobody needs.
    ///
    /// # Errors
    /// With the server's own words when it refuses.
    pub(crate) async fn run(&mut self, sql: &str) -> Result<(), ServerFailure> {
        self.ask(sql).await.map(|_| ())
    }

    /// Runs a statement, and returns the first column of its last row; `None` where that is NULL or there is none.
    ///
    /// # Errors
    /// With the server's own words when it refuses.
    pub(crate) async fn ask(&mut self, sql: &str) -> Result<Option<String>, ServerFailure> {
        let mut answer = None;
        rewrite::query(sql.as_bytes(), self.outbox.buffer())?;
        let (stream, outbox) = (&mut self.stream, &mut self.outbox);
        poll_fn(|context| outbox.poll_flush(context, stream)).await?;
        let mut refused = None;
        loop {
            while let Some((tag, body)) = self.take_message()? {
                match tag {
                    tag::READY_FOR_QUERY => {
                        return refused.map_or(Ok(answer), |body| Err(ServerFailure::Refused(body)));
                    }
                    tag::DATA_ROW => answer = first_column(&body),
                    tag::ERROR_RESPONSE => refused = Some(body),
                    tag::PARAMETER_STATUS => self.note_reported(&body)?,
                    _ => {}
                }
            }
            if self.carry.len() > ANSWER_BYTES_MAX {
                return Err(ServerFailure::OutOfStep);
            }
            self.read_more().await?;
        }
    }

    /// The next whole message among the bytes that were read.
    fn take_message(&mut self) -> Result<Option<(u8, Vec<u8>)>, CodecError> {
        let Some((tag, length)) = header(&self.carry)? else { return Ok(None) };
        let Some(body) = self.carry.get(HEADER_BYTES..HEADER_BYTES + length) else { return Ok(None) };
        let body = body.to_vec();
        self.carry.drain(..HEADER_BYTES + length);
        Ok(Some((tag, body)))
    }

    async fn read_more(&mut self) -> Result<(), ServerFailure> {
        let (stream, carry) = (&mut self.stream, &mut self.carry);
        poll_fn(|context| {
            with_scratch(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
                if buffer.filled().is_empty() {
                    return Poll::Ready(Err(ServerFailure::Ended));
                }
                carry.extend_from_slice(buffer.filled());
                Poll::Ready(Ok(()))
            })
        })
        .await
    }

    /// Keeps a setting that the server reports.
    ///
    /// # Errors
    /// When the message is malformed, or one too many.
    pub(crate) fn note_reported(&mut self, body: &[u8]) -> Result<(), CodecError> {
        let status = ParameterStatus::decode(body)?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        note_reported(&mut self.reported, text(status.name), text(status.value))
    }
}

/// The first column of a row in text format.
pub(super) fn first_column(body: &[u8]) -> Option<String> {
    let (_, rest) = body.split_first_chunk::<2>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let text = rest.get(..usize::try_from(i32::from_be_bytes(*length)).ok()?)?;
    Some(String::from_utf8_lossy(text).into_owned())
}
