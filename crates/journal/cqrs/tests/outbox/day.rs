//! A broker that is away for a day, while an event comes each second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use atalaya_cqrs::outbox::{Broker, Message, Outbox, PublishError, Relay, RelayOptions};
use atalaya_eventstore::Tables;
use atalaya_nats::{JetStream, Options};
use atalaya_sandbox::NatsServer;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::measured::{Footprint, Measured};
use super::orders::{event, stream, until, waiting, write};
use crate::ground::Ground;

const DAY: Duration = Duration::from_secs(86_400);

/// How much of a day's load is brought about; a whole day has an event each second, and as many attempts as the default
/// options make in a day.
struct Load {
    events: u64,
    attempts: u64,
    /// How long a payload is, about. All of them together are many times what a relay may grow by.
    bytes: usize,
}

const WHOLE_DAY: Load = Load { events: 86_400, attempts: 2_888, bytes: 1000 };
const TENTH: Load = Load { events: 8_640, attempts: 289, bytes: 4000 };

const ORDERS: u64 = 120;
const BATCH: u64 = 720;
const PAGE: usize = 500;

/// What was written, by identity: of which order, as which number.
struct Written {
    expected: HashMap<Uuid, (String, u64)>,
    events: u64,
    filling: String,
}

impl Written {
    /// Events of all orders in turn, until there are so many.
    async fn until(&mut self, tables: &Tables, events: u64) {
        let filling = &self.filling;
        while self.events < events {
            let last = events.min(self.events + BATCH);
            let mut statements = Vec::new();
            for position in self.events + 1..=last {
                let (order, number) = (format!("o{}", position % ORDERS), position.div_ceil(ORDERS));
                let payload = format!(r#"{{"number":{number},"filling":"{filling}"}}"#);
                let message = Message::of(&event(position, &order), payload);
                statements.push(message.insert().unwrap());
                self.expected.insert(message.id(), (order, number));
            }
            tables.run(statements).await.unwrap();
            self.events = last;
        }
    }

    /// Each identity is in the stream once, and the numbers of each order grow.
    async fn assert_all_once_in_order(mut self, stream: &Options) {
        let reader = JetStream::new(stream.clone());
        let mut came: HashMap<String, u64> = HashMap::new();
        let mut next = 1;
        loop {
            let page = reader.read(next, PAGE).await.unwrap();
            let Some(last) = page.last() else { break };
            next = last.sequence + 1;
            for message in page {
                let id: Uuid = message.id().unwrap().parse().unwrap();
                let (order, number) = self.expected.remove(&id).expect("an identity of ours, for the first time");
                assert_eq!(message.header("aggregateid"), Some(order.as_str()));
                let said: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
                assert_eq!(said["number"].as_u64(), Some(number));
                let before = came.entry(order).or_default();
                assert_eq!(number, *before + 1);
                *before = number;
            }
        }
        assert_eq!(self.expected.len(), 0, "not delivered");
    }
}

async fn a_broker_away_for(load: Load, ground: &Ground) {
    let tables = ground.tables().await;
    let outbox = Outbox::open(tables.clone()).await.unwrap();
    let mut server = NatsServer::start().unwrap();
    let stream = stream(&server.url());
    let mut written = Written { expected: HashMap::new(), events: 0, filling: "x".repeat(load.bytes) };
    let relay = Measured::start(ground, &stream);
    written.until(&tables, ORDERS).await;
    waiting(&outbox, 0).await;
    server.kill().unwrap();

    // The first twentieth: whatever a relay without a broker needs, it has then.
    let before = written.events;
    let part = |twentieths: u64| before + load.events * twentieths / 20;
    written.until(&tables, part(1)).await;
    relay.failed(load.attempts / 20).await;
    let at_first = relay.footprint();
    written.until(&tables, part(10)).await;
    relay.failed(load.attempts / 2).await;
    assert_is_bounded(&relay, at_first, AWAY_KB);
    // Its lease ends while more comes.
    relay.kill();
    let relay = Measured::start(ground, &stream);
    written.until(&tables, part(20)).await;
    relay.failed(load.attempts / 2).await;
    assert_is_bounded(&relay, at_first, AWAY_KB);
    let status = outbox.status().await.unwrap();
    assert_eq!((status.waiting, status.held, status.oldest.is_some()), (load.events, 0, true));

    server.start_again().unwrap();
    until(async || outbox.status().await.unwrap().waiting < load.events / 2).await;
    assert_is_bounded(&relay, at_first, BACK_KB);
    relay.kill();
    let relay = Measured::start(ground, &stream);
    waiting(&outbox, 0).await;
    assert_is_bounded(&relay, at_first, BACK_KB);
    until(async || relay.status().failures == 0).await;
    relay.stop();
    written.assert_all_once_in_order(&stream).await;
}

/// What a relay may grow by while the broker is away: what the first attempts left unused of its own.
const AWAY_KB: u64 = 6 << 10;
/// The same once it is back, with the pages that SQLite keeps of what is deleted, 16 MiB of them at most.
const BACK_KB: u64 = AWAY_KB + (16 << 10);
const FILES: usize = 8;
const THREADS: u64 = 8;

fn assert_is_bounded(relay: &Measured, at_first: Footprint, growth_kb: u64) {
    let options = RelayOptions::default();
    let most = relay.status().most_in_hand;
    // It takes no more once there are as many bytes, and the one before may go beyond.
    let beyond = 5000;
    assert!(most.messages > 0 && most.messages <= u64::from(options.rows), "{most:?}");
    assert!(most.bytes <= options.bytes + beyond, "{most:?}");
    let now = relay.footprint();
    assert!(now.peak_kb <= at_first.peak_kb + growth_kb, "{at_first:?} {now:?}");
    assert!(now.files <= at_first.files + FILES, "{at_first:?} {now:?}");
    assert!(now.threads <= at_first.threads + THREADS, "{at_first:?} {now:?}");
}

async fn a_broker_that_was_away_for_a_tenth_of_a_day_gets_each_event_once_in_order_from_a_relay_that_did_not_grow(
    ground: &Ground,
) {
    a_broker_away_for(TENTH, ground).await;
}

#[ignore = "soak: minutes"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_was_away_for_a_day_gets_each_event_once_in_order_from_a_relay_that_did_not_grow_on_sqlite() {
    a_broker_away_for(WHOLE_DAY, &Ground::sqlite()).await;
}

#[ignore = "soak: minutes"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_was_away_for_a_day_gets_each_event_once_in_order_from_a_relay_that_did_not_grow_on_postgres() {
    a_broker_away_for(WHOLE_DAY, &Ground::postgres()).await;
}

/// Away until a day has passed; keeps when it was asked.
#[derive(Clone)]
struct AwayForADay {
    from: Instant,
    asked: Arc<Mutex<Vec<Duration>>>,
    taken: Arc<Mutex<Vec<u64>>>,
    stop: watch::Sender<bool>,
}

const MESSAGES: u64 = 3;

impl Broker for AwayForADay {
    async fn publish(&self, message: &Message) -> Result<(), PublishError> {
        let at = self.from.elapsed();
        if at < DAY {
            self.asked.lock().unwrap().push(at);
            return Err(PublishError::Unavailable("away".to_owned()));
        }
        let mut taken = self.taken.lock().unwrap();
        taken.push(message.position().number());
        if taken.len() as u64 == MESSAGES {
            self.stop.send(true).unwrap();
        }
        Ok(())
    }
}

/// On a clock that goes on whenever everybody sleeps: nothing else waits by it here, the database least of all.
#[tokio::test(start_paused = true)]
async fn a_relay_asks_a_broker_all_day_each_half_minute_and_has_what_waits_there_within_one() {
    let ground = Ground::sqlite();
    let tables = ground.tables().await;
    let outbox = Outbox::open(tables.clone()).await.unwrap();
    // One order: it is asked once an attempt.
    write(&tables, 1, 1..=MESSAGES).await;
    let options = RelayOptions::default();
    let (stop, stopped) = watch::channel(false);
    let broker = AwayForADay { from: Instant::now(), asked: Arc::default(), taken: Arc::default(), stop };
    let relay = Relay::new(outbox.clone(), broker.clone(), options.clone());
    relay.run(stopped).await.unwrap();
    let asked = broker.asked.lock().unwrap().clone();
    assert_eq!(asked.len() as u64, WHOLE_DAY.attempts);
    let longest = asked.windows(2).map(|two| two[1] - two[0]).max().unwrap();
    // The clock counts whole milliseconds, and rounds up.
    assert!(longest <= options.backoff_max + Duration::from_millis(2), "{longest:?}");
    assert!(broker.from.elapsed() <= DAY + options.backoff_max + Duration::from_millis(2));
    let taken = broker.taken.lock().unwrap().clone();
    assert!(taken.len() as u64 == MESSAGES && taken.is_sorted(), "{taken:?}");
    assert_eq!(outbox.status().await.unwrap().waiting, 0);
    assert_eq!(relay.status().failures, 0);
}

atalaya_sandbox::on_every_backend! {
    a_broker_that_was_away_for_a_tenth_of_a_day_gets_each_event_once_in_order_from_a_relay_that_did_not_grow
}
