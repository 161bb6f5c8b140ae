//! The one task that appends: it takes what waits, puts as many as fit into one transaction, and answers each.
//!
//! While a transaction is being made durable the next ones gather; so the more is appended at once, the larger the
//! groups, and nobody waits for a group to fill.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::backend::{Answers, Backend};
use crate::{Append, Appended, Error, Options};

/// One append and who waits for its answer.
struct Waiting {
    append: Append,
    answer: oneshot::Sender<Result<Appended, Error>>,
}

enum Request {
    Append(Waiting),
    Close(oneshot::Sender<()>),
}

/// The way to the writer.
pub(crate) struct Writer {
    queue: mpsc::Sender<Request>,
    limit: std::time::Duration,
}

impl Writer {
    /// Starts it.
    pub(crate) fn start(backend: Arc<dyn Backend>, options: &Options) -> Self {
        let (queue, requests) = mpsc::channel(options.queue.max(1));
        let bounds = Bounds { events: options.group_events.max(1), bytes: options.group_bytes };
        tokio::spawn(work(backend, requests, bounds));
        Self { queue, limit: options.queue_limit }
    }

    /// Appends, and waits for the answer. The append is made even when the answer is not waited for.
    pub(crate) async fn append(&self, append: Append) -> Result<Appended, Error> {
        append.check()?;
        let (answer, answered) = oneshot::channel();
        self.send(Request::Append(Waiting { append, answer })).await?;
        answered.await.map_err(|_| Error::Closed)?
    }

    /// Takes no more, and waits until what was taken is answered.
    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.send(Request::Close(done)).await.is_ok() {
            let _ended = closed.await;
        }
    }

    async fn send(&self, request: Request) -> Result<(), Error> {
        match self.queue.send_timeout(request, self.limit).await {
            Ok(()) => Ok(()),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                Err(Error::Overloaded { waiting: self.queue.max_capacity() })
            }
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(Error::Closed),
        }
    }
}

/// What one transaction may hold; a single append may be larger.
#[derive(Clone, Copy)]
struct Bounds {
    events: usize,
    bytes: usize,
}

async fn work(backend: Arc<dyn Backend>, mut requests: mpsc::Receiver<Request>, bounds: Bounds) {
    let (mut first, mut closing) = (None, None);
    loop {
        let next = match first.take() {
            Some(waiting) => waiting,
            None => match requests.recv().await {
                Some(Request::Append(waiting)) => waiting,
                Some(Request::Close(done)) => {
                    requests.close();
                    closing = Some(done);
                    continue;
                }
                None => break,
            },
        };
        settle(&requests).await;
        let group = gather(next, &mut first, &mut closing, &mut requests, bounds);
        answer(&*backend, group).await;
    }
    if let Some(done) = closing {
        let _gone = done.send(());
    }
}

/// Lets those who were just answered append again before the group is closed: otherwise one in two groups would hold
/// the first of them alone. Costs a lone writer one turn of the runtime.
async fn settle(requests: &mpsc::Receiver<Request>) {
    const TURNS: usize = 4;
    let mut waiting = requests.len();
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
        if requests.len() == waiting {
            return;
        }
        waiting = requests.len();
    }
}

/// The first one and as many of those behind it as fit; the one that did not goes into `left`.
fn gather(
    first: Waiting,
    left: &mut Option<Waiting>,
    closing: &mut Option<oneshot::Sender<()>>,
    requests: &mut mpsc::Receiver<Request>,
    bounds: Bounds,
) -> Vec<Waiting> {
    let (mut events, mut bytes) = (first.append.events().count(), first.append.bytes());
    let mut group = vec![first];
    while let Ok(request) = requests.try_recv() {
        match request {
            Request::Append(waiting) => {
                events += waiting.append.events().count();
                bytes += waiting.append.bytes();
                if events > bounds.events || bytes > bounds.bytes {
                    *left = Some(waiting);
                    break;
                }
                group.push(waiting);
            }
            Request::Close(done) => {
                requests.close();
                *closing = Some(done);
            }
        }
    }
    group
}

async fn answer(backend: &dyn Backend, group: Vec<Waiting>) {
    let (appends, answers): (Vec<_>, Vec<_>) =
        group.into_iter().map(|waiting| (waiting.append, waiting.answer)).unzip();
    let appends = Arc::new(appends);
    match backend.commit(appends.clone()).await {
        Ok(made) => tell(answers, made),
        // One that the store cannot take must not fail its neighbours: each by itself then.
        Err(error) if appends.len() > 1 && error.may_be_one_append() => {
            tracing::warn!(appends = appends.len(), "a group was refused; its appends are made one by one");
            let appends = Arc::try_unwrap(appends).unwrap_or_else(|shared| shared.to_vec());
            for (append, answer) in appends.into_iter().zip(answers) {
                match backend.commit(Arc::new(vec![append])).await {
                    Ok(made) => tell(vec![answer], made),
                    Err(error) => drop(answer.send(Err(error))),
                }
            }
        }
        Err(error) => {
            for answer in answers {
                let _gone = answer.send(Err(error.clone()));
            }
        }
    }
}

/// A caller that went away does not matter.
fn tell(answers: Vec<oneshot::Sender<Result<Appended, Error>>>, made: Answers) {
    for (answer, made) in answers.into_iter().zip(made) {
        let _gone = answer.send(made.map_err(Error::Conflict));
    }
}
