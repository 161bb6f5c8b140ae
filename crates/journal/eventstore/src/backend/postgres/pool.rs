//! The sessions that read: a bounded number, made when needed, and made anew when one was lost.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use atalaya_estate::ConnectionUrl;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use super::connection::{Connection, Purpose, STATEMENT_LIMIT};
use super::failure::{is_alive, is_passing};
use crate::Error;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// How often something is tried, and how long between.
pub(super) struct Tries {
    deadline: Instant,
    pause: Duration,
}

impl Tries {
    pub(super) fn within(limit: Duration) -> Self {
        Self { deadline: Instant::now() + limit, pause: FIRST_PAUSE }
    }

    /// Waits for the next try; false when there is none.
    pub(super) async fn again(&mut self) -> bool {
        if Instant::now() + self.pause >= self.deadline {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        true
    }
}

/// Sessions that read.
pub(super) struct Pool {
    url: ConnectionUrl,
    lock_limit: Duration,
    reconnect_limit: Duration,
    free: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

impl Pool {
    pub(super) fn new(url: ConnectionUrl, size: usize, lock_limit: Duration, reconnect_limit: Duration) -> Self {
        let permits = Semaphore::new(size.max(1));
        Self { url, lock_limit, reconnect_limit, free: Mutex::new(Vec::new()), permits }
    }

    /// Runs something that may be run twice, on a session of its own for the time; again when the session was lost.
    pub(super) async fn run<T>(
        &self,
        action: &'static str,
        work: impl for<'s> Fn(&'s mut Connection) -> BoxFuture<'s, Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let mut tries = Tries::within(self.reconnect_limit);
        loop {
            let permit = self.permits.acquire().await.map_err(|_| Error::Closed)?;
            let limit = self.lock_limit + STATEMENT_LIMIT;
            let worked = tokio::time::timeout(limit, self.once(&work)).await;
            drop(permit);
            match worked.unwrap_or(Err(Error::Slow { action, limit })) {
                Err(error) if is_passing(&error) && tries.again().await => {
                    tracing::debug!(action, "the journal's database was lost; trying again");
                }
                worked => return worked,
            }
        }
    }

    async fn once<T>(
        &self,
        work: &(impl for<'s> Fn(&'s mut Connection) -> BoxFuture<'s, Result<T, Error>> + Send),
    ) -> Result<T, Error> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match free.filter(|connection| !connection.session.is_closed()) {
            Some(connection) => connection,
            None => Connection::open(&self.url, Purpose::Read, self.lock_limit).await?,
        };
        let worked = work(&mut connection).await;
        if worked.as_ref().err().is_none_or(is_alive) && !connection.spent {
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        worked
    }

    /// Takes no more work, and ends the sessions that rest.
    pub(super) fn close(&self) {
        self.permits.close();
        self.free.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
