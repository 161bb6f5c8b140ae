//! `COPY ... FROM STDIN` with back-pressure, and an eye on the server while sending.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use atalaya_pgwire::{self as pgwire, BackendMessage, CodecError, CopyDataWriter};

use super::connection::{WireConnection, poll_send};
use super::error::WireError;

const DURING: &str = "a copy";

/// A copy being written. Ends by [`Self::finish`] or [`Self::abort`]; when it is dropped instead, the
/// connection is of no further use, and the server undoes the copy once that is closed.
pub struct CopyIn<'a> {
    connection: &'a mut WireConnection,
    writer: CopyDataWriter,
}

impl WireConnection {
    /// Starts `COPY ... FROM STDIN`.
    ///
    /// # Errors
    /// When the statement fails or is no such copy.
    pub async fn copy_in(&mut self, sql: &str) -> Result<CopyIn<'_>, WireError> {
        self.start(sql).await?;
        match self.receive(DURING).await? {
            BackendMessage::CopyIn => Ok(CopyIn { connection: self, writer: CopyDataWriter::default() }),
            BackendMessage::Error(error) => Err(self.after_error(error, DURING).await),
            BackendMessage::CopyOut | BackendMessage::CopyBoth => Err(WireError::NotACopy("a copy from the client")),
            _ => Err(self.not_a_copy("a copy from the client").await),
        }
    }

    /// Sends all that waits to be sent, and reads meanwhile: an error of the server is known at once, not after
    /// everything was sent to a server that throws it away.
    async fn flush_watching(&mut self) -> Result<(), WireError> {
        let mut error = None;
        loop {
            match self.send_or_read().await {
                Ok(Step::Sent) => break,
                Ok(Step::Read(0)) => return Err(self.end_of_stream(error)),
                Ok(Step::Read(_)) if error.is_some() => {}
                Ok(Step::Read(_)) => match self.receive_buffered(DURING)? {
                    // The message under way still goes out whole, or the session could not be used again.
                    Some(BackendMessage::Error(found)) => error = Some(found),
                    Some(_) => return Err(WireError::Unexpected { during: DURING }),
                    None => {}
                },
                Err(source) => {
                    return Err(match error {
                        Some(error) => WireError::server(error),
                        None => self.reason_of_end(DURING, source).await,
                    });
                }
            }
        }
        match error {
            Some(error) => Err(self.after_error(error, DURING).await),
            None => Ok(()),
        }
    }

    fn end_of_stream(&self, error: Option<pgwire::ServerError>) -> WireError {
        error.map_or(WireError::Ended(DURING), WireError::server)
    }

    async fn send_or_read(&mut self) -> std::io::Result<Step> {
        let Self { stream, read, write, .. } = self;
        poll_fn(|context| {
            // Dropped when pending, which loses nothing.
            if let Poll::Ready(count) = pin!(read.fill(stream, 0)).poll(context) {
                return Poll::Ready(count.map(Step::Read));
            }
            poll_send(stream, write, context).map_ok(|()| Step::Sent)
        })
        .await
    }
}

enum Step {
    Sent,
    Read(usize),
}

impl CopyIn<'_> {
    /// Adds data, cut without regard to rows. Returns once it is buffered or sent; waits while the server is
    /// slower.
    ///
    /// # Errors
    /// When the server has reported an error, or the connection ended. The copy is over then.
    pub async fn send(&mut self, data: &[u8]) -> Result<(), WireError> {
        if self.writer.pass(data, &mut self.connection.write).map_err(protocol)? {
            return self.connection.flush_watching().await;
        }
        let mut rest = data;
        while !rest.is_empty() {
            let taken = self.writer.push(rest);
            rest = rest.get(taken..).unwrap_or_default();
            if self.writer.is_full() {
                self.writer.flush(&mut self.connection.write).map_err(protocol)?;
                self.connection.flush_watching().await?;
            }
        }
        Ok(())
    }

    /// Ends the copy; returns the rows that the server stored.
    ///
    /// # Errors
    /// When the server refuses the data or the connection ended before it confirmed them.
    pub async fn finish(mut self) -> Result<u64, WireError> {
        self.writer.flush(&mut self.connection.write).map_err(protocol)?;
        pgwire::copy_done(&mut self.connection.write);
        self.connection.flush(DURING).await?;
        let mut rows = None;
        loop {
            match (self.connection.receive(DURING).await?, rows) {
                (BackendMessage::CommandComplete { command }, None) => {
                    rows = Some(BackendMessage::rows_of_command(&command));
                }
                (BackendMessage::ReadyForQuery(_), Some(rows)) => return Ok(rows),
                (BackendMessage::Error(error), _) => {
                    return Err(self.connection.after_error(error, DURING).await);
                }
                _ => return Err(WireError::Unexpected { during: DURING }),
            }
        }
    }

    /// Gives the copy up: the server undoes it. The session can be used again afterwards (in a transaction:
    /// after ROLLBACK).
    ///
    /// # Errors
    /// When the connection ended, which undoes the copy as well.
    pub async fn abort(self, reason: &str) -> Result<(), WireError> {
        pgwire::copy_fail(reason, &mut self.connection.write).map_err(protocol)?;
        self.connection.flush(DURING).await?;
        loop {
            match self.connection.receive(DURING).await? {
                BackendMessage::ReadyForQuery(_) => return Ok(()),
                BackendMessage::Error(_) => {}
                _ => return Err(WireError::Unexpected { during: DURING }),
            }
        }
    }
}

fn protocol(source: CodecError) -> WireError {
    WireError::Protocol { during: DURING, source }
}
