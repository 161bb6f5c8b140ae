//! Where a journal is kept for a test, and how its sagas are run.

use std::path::PathBuf;
use std::time::Duration;

use atalaya_estate::ConnectionUrl;
use atalaya_eventstore::{Event, Read, Store};
use atalaya_saga::{Coordinator, Definition, Options, Phase, SagaId, Sagas, Step, StepContext, StepError};
use atalaya_sandbox::{Clock, Server, ServerOptions, fresh_database};
use serde_json::Value;
use tokio::sync::watch;

/// A saga that does not get anywhere in this time will not; never reached by a test that passes.
const LIMIT: Duration = Duration::from_secs(120);

/// A place for a journal: a file, or a URL.
pub(crate) struct Ground {
    folder: tempfile::TempDir,
    url: Option<String>,
    /// One of its own, where a test does to it what others must not see.
    _server: Option<Server>,
}

impl Ground {
    pub(crate) fn sqlite() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), url: None, _server: None }
    }

    pub(crate) fn postgres() -> Self {
        let (server, database) = fresh_database(18).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), url: Some(server.url(&database)), _server: None }
    }

    /// A database on a server that goes by this clock.
    pub(crate) fn postgres_by(clock: &Clock) -> Self {
        let server = Server::start(ServerOptions::new(18).clock(clock)).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), url: Some(server.url("postgres")), _server: Some(server) }
    }

    /// Where the target of the steps keeps what was done.
    pub(crate) fn target_folder(&self) -> PathBuf {
        self.folder.path().join("target")
    }

    /// As a child process is told of it.
    pub(crate) fn place(&self) -> String {
        self.url.clone().unwrap_or_else(|| self.folder.path().join("journal/journal.db").display().to_string())
    }

    pub(crate) async fn open(&self) -> Store {
        open(&self.place()).await
    }

    pub(crate) async fn sagas(&self, definition: Definition) -> Sagas {
        Sagas::new(self.open().await, vec![definition], quick()).unwrap()
    }

    /// The types of a saga's events, in their order.
    pub(crate) async fn history(&self, id: &SagaId) -> Vec<String> {
        self.events(id).await.iter().map(|event| event.event_type.to_string()).collect()
    }

    /// The times of a saga's events of one type, by the journal's clock, in microseconds.
    pub(crate) async fn times_us(&self, id: &SagaId, event_type: &str) -> Vec<i64> {
        let events = self.events(id).await;
        events
            .iter()
            .filter(|event| event.event_type.as_str() == event_type)
            .map(|event| event.recorded_at_us)
            .collect()
    }

    async fn events(&self, id: &SagaId) -> Vec<Event> {
        self.open().await.read(Read::stream_from(id.stream().clone(), 1, 1000)).await.unwrap().events
    }
}

/// A journal at a place: a URL or a file.
pub(crate) async fn open(place: &str) -> Store {
    let options = atalaya_eventstore::Options::default();
    if place.starts_with("postgres") {
        Store::open_postgres(&ConnectionUrl::parse(place).unwrap(), options).await.unwrap()
    } else {
        Store::open_sqlite(place.as_ref(), options).await.unwrap()
    }
}

/// A lease that a test can wait for the end of, and that a busy machine keeps.
pub(crate) fn quick() -> Options {
    Options { lease: Duration::from_secs(3), pause: Duration::from_millis(50), ..Options::default() }
}

/// Few attempts, one soon after the other.
pub(crate) fn retry(attempts: u32) -> atalaya_saga::Retry {
    atalaya_saga::Retry { attempts, backoff: Duration::from_millis(5), backoff_max: Duration::from_millis(20) }
}

pub(crate) fn id(name: &str) -> SagaId {
    SagaId::new(name).unwrap()
}

pub(crate) async fn start(sagas: &Sagas, definition: &str, name: &str) -> SagaId {
    let id = id(name);
    assert!(sagas.start(definition, &id, Value::Null).await.unwrap());
    id
}

/// A coordinator at work until it is dropped.
pub(crate) struct AtWork {
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

pub(crate) async fn at_work(sagas: &Sagas) -> AtWork {
    let coordinator = Coordinator::open(sagas).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(async move { coordinator.run(stopped).await.unwrap() });
    AtWork { stop, task }
}

impl AtWork {
    pub(crate) async fn stop(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap();
    }
}

/// Waits until a saga has ended or is stuck.
pub(crate) async fn over(sagas: &Sagas, id: &SagaId) -> Phase {
    let waiting = async {
        loop {
            let phase = sagas.show(id).await.unwrap().phase;
            if !matches!(phase, Phase::Going { .. }) {
                return phase;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, waiting).await.expect("the saga gets nowhere")
}

/// A step whose action never says that it went well.
pub(crate) fn failing(name: &str, error: StepError) -> Step {
    Step::new(name, move |_: StepContext| std::future::ready(Err(error.clone())))
}
