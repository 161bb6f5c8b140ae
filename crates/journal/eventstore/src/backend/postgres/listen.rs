//! Says when the journal has grown: each commit notifies, and who waits hears of it.
//!
//! A notification may be lost with its connection; so every wait ends after a second anyhow, and the journal is asked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::connection::{Connection, Purpose};
use super::failure::failed;
use super::read;
use crate::{Error, Position};

/// The channel that commits notify on; the payload is the new end.
pub(super) const CHANNEL: &str = "atalaya_journal";
const WAIT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_secs(1);

/// The journal's end as far as this process knows.
pub(super) struct Listener {
    url: ConnectionUrl,
    lock_limit: Duration,
    end: Arc<watch::Sender<u64>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Listener {
    /// It connects when somebody waits for the first time.
    pub(super) fn new(url: ConnectionUrl, lock_limit: Duration) -> Self {
        Self { url, lock_limit, end: Arc::new(watch::Sender::new(0)), task: Mutex::new(None) }
    }

    /// This process has appended.
    pub(super) fn publish(&self, end: Position) {
        raise(&self.end, end.number());
    }

    /// Waits until the journal may have grown.
    pub(super) async fn grown(&self, beyond: Position) -> Result<(), Error> {
        self.begin();
        let mut end = self.end.subscribe();
        let longer = end.wait_for(|end| *end > beyond.number());
        drop(tokio::time::timeout(WAIT, longer).await);
        Ok(())
    }

    fn begin(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.is_none() {
            *task = Some(tokio::spawn(listen(self.url.clone(), self.lock_limit, self.end.clone())));
        }
    }

    /// Ends its connection.
    pub(super) fn stop(&self) {
        if let Some(task) = &*self.task.lock().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

fn raise(end: &watch::Sender<u64>, to: u64) {
    end.send_if_modified(|end| {
        let grown = to > *end;
        *end = to.max(*end);
        grown
    });
}

/// Listens for as long as the store is open; a lost connection is made anew, however often.
async fn listen(url: ConnectionUrl, lock_limit: Duration, end: Arc<watch::Sender<u64>>) {
    loop {
        if let Err(error) = listen_once(&url, lock_limit, &end).await {
            tracing::debug!(error = %error, "the journal's notifications are not heard");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listen_once(url: &ConnectionUrl, lock_limit: Duration, end: &watch::Sender<u64>) -> Result<(), Error> {
    let mut connection = Connection::open(url, Purpose::Listen, lock_limit).await?;
    connection.session.batch(&format!("LISTEN {CHANNEL}")).await.map_err(failed("listening"))?;
    // What was committed before.
    raise(end, read::head(&mut connection).await?.position.number());
    while let Some(notification) = connection.session.next_notification().await {
        if let Ok(position) = notification.payload.parse() {
            raise(end, position);
        }
    }
    Ok(())
}
