//! Orders whose messages are numbered, and what a stream has of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use atalaya_cqrs::outbox::{Broker, Message, Outbox, OutboxError, Relay, RelayOptions, RelayStatus};
use atalaya_eventstore::{AppendId, Event, EventId, EventType, Position, StreamName, Tables};
use atalaya_nats::{JetStream, Options};
use atalaya_sandbox::NatsServer;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What does not get anywhere in this time will not; never reached by a test that passes.
const LIMIT: Duration = Duration::from_secs(900);
const PAGE: usize = 500;

static SERVER: OnceLock<NatsServer> = OnceLock::new();
static STREAMS: AtomicU32 = AtomicU32::new(0);

/// A broker that no test stops.
pub(crate) fn server() -> &'static NatsServer {
    SERVER.get_or_init(|| NatsServer::start().unwrap())
}

/// A stream of its own in a broker.
pub(crate) fn stream(url: &str) -> Options {
    let number = STREAMS.fetch_add(1, Ordering::Relaxed);
    let mut options = Options::new(url, format!("S{}-{number}", std::process::id()), format!("s{number}"));
    options.answer_limit = Duration::from_secs(2);
    options
}

/// A lease that a test can wait for the end of.
pub(super) fn quick() -> RelayOptions {
    RelayOptions {
        lease: Duration::from_secs(8),
        publish_limit: Duration::from_secs(2),
        backoff_max: Duration::from_millis(500),
        ..RelayOptions::default()
    }
}

/// An event that no journal has.
pub(super) fn event(position: u64, order: &str) -> Event {
    Event {
        position: Position::new(position),
        stream: StreamName::new(format!("order-{order}")).unwrap(),
        version: 1,
        id: EventId::generate(),
        append: AppendId::generate(),
        event_type: EventType::new("OrderChanged").unwrap(),
        schema: 1,
        data: Some(Bytes::from_static(b"{}")),
        metadata: Bytes::new(),
        correlation: None,
        causation: None,
        recorded_at_us: 0,
    }
}

/// Writes messages of so many orders, each with these numbers, one order after the other in turn.
pub(super) async fn write(tables: &Tables, orders: u64, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        let message = |order: u64| {
            let event = event(number * orders + order, &format!("o{order}"));
            Message::of(&event, format!(r#"{{"number":{number}}}"#)).insert().unwrap()
        };
        tables.run((0..orders).map(message).collect()).await.unwrap();
    }
}

/// The numbers that a stream has of each order, in the stream's order.
pub(super) async fn numbers(stream: &Options) -> BTreeMap<String, Vec<u64>> {
    let reader = JetStream::new(stream.clone());
    let mut numbers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut next = 1;
    loop {
        let page = reader.read(next, PAGE).await.unwrap();
        let Some(last) = page.last() else { return numbers };
        next = last.sequence + 1;
        for message in page {
            let value: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
            let order = message.header("aggregateid").unwrap().to_owned();
            assert_eq!(message.id(), message.header("id"));
            numbers.entry(order).or_default().push(value["number"].as_u64().unwrap());
        }
    }
}

/// Every number of every order is in the stream once, in order.
pub(super) async fn assert_all_once_in_order(stream: &Options, orders: u64, last: u64) {
    let numbers = numbers(stream).await;
    assert_eq!(numbers.len() as u64, orders);
    for (order, numbers) in numbers {
        assert_eq!(numbers, (1..=last).collect::<Vec<_>>(), "{order}");
    }
}

/// Waits until so many messages are waiting.
pub(super) async fn waiting(outbox: &Outbox, expected: u64) {
    until(async || outbox.status().await.unwrap().waiting == expected).await;
}

pub(super) async fn until(condition: impl AsyncFn() -> bool) {
    let asking = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, asking).await.expect("it does not come to that");
}

/// A relay at work.
pub(super) struct AtWork {
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), OutboxError>>,
    status: Box<dyn Fn() -> RelayStatus + Send + Sync>,
}

pub(super) fn at_work(outbox: &Outbox, broker: impl Broker, options: RelayOptions) -> AtWork {
    let relay = Arc::new(Relay::new(outbox.clone(), broker, options));
    let (stop, stopped) = watch::channel(false);
    let asked = Arc::clone(&relay);
    let task = tokio::spawn(async move { relay.run(stopped).await });
    AtWork { stop, task, status: Box::new(move || asked.status()) }
}

impl AtWork {
    pub(super) fn status(&self) -> RelayStatus {
        (self.status)()
    }

    pub(super) async fn stop(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap().unwrap();
    }
}
