//! The connection to the walsender, which goes on hearing from us whatever else is waited for.

use std::pin::pin;
use std::time::Duration;

use atalaya_data::Lsn;
use atalaya_postgres::wire::{ReplicationEvent, ReplicationStream};
use tokio::sync::watch;
use tokio::time::Interval;

use crate::Error;

/// How often the source hears from us while nothing else is said.
const STATUS_EVERY: Duration = Duration::from_secs(5);

/// A replication stream, and the position that the source may be told.
pub(super) struct Line {
    stream: ReplicationStream,
    acknowledgement: watch::Receiver<Lsn>,
    status: Interval,
}

impl Line {
    pub(super) fn new(stream: ReplicationStream, acknowledgement: watch::Receiver<Lsn>) -> Self {
        Self { stream, acknowledgement, status: tokio::time::interval(STATUS_EVERY) }
    }

    /// The next event; none once `ended` comes first. A new acknowledgement goes out at once.
    pub(super) async fn next(&mut self, ended: impl Future<Output = ()>) -> Result<Option<ReplicationEvent>, Error> {
        let mut ended = pin!(ended);
        loop {
            tokio::select! {
                event = self.stream.next() => return Ok(Some(event?)),
                // The answer says how far the source has read its log: where only other databases are written to, and
                // it never waits for more, nothing else would.
                _ = self.status.tick() => {
                    self.ask_position().await?;
                    continue;
                }
                Ok(()) = self.acknowledgement.changed() => {}
                () = &mut ended => return Ok(None),
            }
            self.send_status().await?;
        }
    }

    /// The next event if one is in memory.
    pub(super) fn next_in_memory(&mut self) -> Result<Option<ReplicationEvent>, Error> {
        match self.stream.has_complete_message() {
            true => Ok(self.stream.try_next()?),
            false => Ok(None),
        }
    }

    /// Waits for something else.
    pub(super) async fn while_waiting<T>(&mut self, other: impl Future<Output = T>) -> Result<T, Error> {
        let mut other = pin!(other);
        loop {
            tokio::select! {
                // Nearly always it is done at once: then the clock is not even looked at.
                biased;
                result = &mut other => return Ok(result),
                _ = self.status.tick() => self.send_status().await?,
            }
        }
    }

    /// Tells the source what it may forget.
    pub(super) async fn send_status(&mut self) -> Result<(), Error> {
        let flushed = *self.acknowledgement.borrow_and_update();
        Ok(self.stream.send_status(flushed, false).await?)
    }

    /// Tells the source the same, and has it say where it stands.
    async fn ask_position(&mut self) -> Result<(), Error> {
        let flushed = *self.acknowledgement.borrow_and_update();
        Ok(self.stream.send_status(flushed, true).await?)
    }

    /// Says the last word and ends the stream.
    pub(super) async fn finish(mut self) -> Result<(), Error> {
        self.send_status().await?;
        self.stream.finish().await;
        Ok(())
    }
}
