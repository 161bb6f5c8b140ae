//! Threads with a connection each, which run what they are given. SQLite blocks; the async runtime must not.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::Error;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// As many jobs wait for a thread; further callers wait to get in.
const QUEUE: usize = 64;

/// Threads of one kind, with one queue.
pub(crate) struct Workers {
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Workers {
    /// Starts a thread for each connection.
    pub(crate) fn start(name: &'static str, connections: Vec<Connection>) -> Result<Self, Error> {
        let (sender, receiver) = mpsc::channel::<Job>(QUEUE);
        let receiver = Arc::new(Mutex::new(receiver));
        let mut threads = Vec::new();
        for mut connection in connections {
            let receiver = receiver.clone();
            let body = move || {
                loop {
                    let job = receiver.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
                    let Some(job) = job else { return };
                    job(&mut connection);
                }
            };
            let started = std::thread::Builder::new().name(name.to_owned()).spawn(body);
            threads.push(started.map_err(|source| Error::File {
                action: "start a thread for",
                path: name.into(),
                source: Arc::new(source),
            })?);
        }
        Ok(Self { queue: Mutex::new(Some(sender)), threads: Mutex::new(threads) })
    }

    /// Runs something on the next free thread. It is run to its end even when nobody waits for it any more.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Error::Closed)?;
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let _nobody_waits = answer.send(work(connection));
        });
        queue.send(job).await.map_err(|_| Error::Closed)?;
        drop(queue);
        answered.await.map_err(|_| Error::Closed)?
    }

    /// Ends the threads once the queue is empty, and waits for that.
    pub(crate) async fn stop(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let joining = move || threads.into_iter().for_each(|thread| drop(thread.join()));
        drop(tokio::task::spawn_blocking(joining).await);
    }
}
