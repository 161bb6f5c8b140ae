//! Relays that die, freeze, or are two.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use atalaya_cqrs::outbox::{Broker, InHand, Message, Outbox, PublishError, RelayOptions};
use atalaya_eventstore::Dialect;
use atalaya_nats::JetStream;
use tokio::sync::watch;

use super::child::Relaying;
use super::orders::{assert_all_once_in_order, at_work, event, quick, server, stream, until, waiting, write};
use crate::ground::{Ground, number};

const ORDERS: u64 = 8;
const NUMBERS: u64 = 5;
const ALL: u64 = ORDERS * NUMBERS;

/// A broker that is always away.
struct Away;

impl Broker for Away {
    async fn publish(&self, _: &Message) -> Result<(), PublishError> {
        Err(PublishError::Unavailable("away".to_owned()))
    }
}

/// Counts what is published through it.
struct Counting(JetStream, Arc<AtomicU64>);

impl Broker for Counting {
    async fn publish(&self, message: &Message) -> Result<(), PublishError> {
        Broker::publish(&self.0, message).await?;
        self.1.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

async fn a_relay_killed_between_publishing_and_deleting_loses_and_doubles_nothing(ground: &Ground) {
    let tables = ground.tables().await;
    let outbox = Outbox::open(tables.clone()).await.unwrap();
    let stream = stream(&server().url());
    write(&tables, ORDERS, 1..=NUMBERS).await;
    Relaying::start(ground, &stream).kill();
    assert_eq!(outbox.status().await.unwrap().waiting, ALL);
    // Waits for the end of the dead one's lease.
    let relay = at_work(&outbox, JetStream::new(stream.clone()), quick());
    waiting(&outbox, 0).await;
    relay.stop().await;
    assert_all_once_in_order(&stream, ORDERS, NUMBERS).await;
}

async fn a_relay_frozen_for_longer_than_its_lease_deletes_nothing(ground: &Ground) {
    let tables = ground.tables().await;
    let outbox = Outbox::open(tables.clone()).await.unwrap();
    let stream = stream(&server().url());
    write(&tables, ORDERS, 1..=NUMBERS).await;
    let frozen = Relaying::start(ground, &stream);
    frozen.freeze();
    let epoch = "SELECT epoch FROM atalaya_outbox_lease";
    let before = number(&tables, epoch).await;
    // It takes over, and gets nothing to the broker.
    let other = at_work(&outbox, Away, quick());
    until(async || number(&tables, epoch).await > before).await;
    frozen.thaw();
    assert_eq!(outbox.status().await.unwrap().waiting, ALL);
    other.stop().await;
    let relay = at_work(&outbox, JetStream::new(stream.clone()), quick());
    waiting(&outbox, 0).await;
    relay.stop().await;
    assert_all_once_in_order(&stream, ORDERS, NUMBERS).await;
}

async fn of_two_relays_one_publishes_and_the_other_goes_on_after_it(ground: &Ground) {
    let tables = ground.tables().await;
    let outbox = Outbox::open(tables.clone()).await.unwrap();
    let stream = stream(&server().url());
    let counts: [Arc<AtomicU64>; 2] = Default::default();
    // Far longer than a busy machine takes: a lease that is lost would be published twice, rightly.
    let options = RelayOptions { lease: Duration::from_secs(120), rows: 10, ..RelayOptions::default() };
    let (to, how) = (&stream, &options);
    let [one, two] = counts.clone().map(|count| async move {
        let outbox = Outbox::open(ground.tables().await).await.unwrap();
        at_work(&outbox, Counting(JetStream::new(to.clone()), count), how.clone())
    });
    let (one, two) = tokio::join!(one, two);
    write(&tables, ORDERS, 1..=NUMBERS).await;
    waiting(&outbox, 0).await;
    let published = || counts.each_ref().map(|count| count.load(Ordering::SeqCst));
    let before = published();
    assert!(before == [ALL, 0] || before == [0, ALL], "{before:?}");
    let (working, other) = if before[0] == ALL { (one, two) } else { (two, one) };
    working.stop().await;
    write(&tables, ORDERS, NUMBERS + 1..=2 * NUMBERS).await;
    waiting(&outbox, 0).await;
    assert_eq!(published(), [ALL, ALL]);
    other.stop().await;
    assert_all_once_in_order(&stream, ORDERS, 2 * NUMBERS).await;
}

/// Knows how many messages it had in hand at most; it lets each one wait for those that are begun with it.
#[derive(Clone, Default)]
struct Hand {
    now: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
}

impl Broker for Hand {
    async fn publish(&self, _: &Message) -> Result<(), PublishError> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
}

async fn what_a_relay_has_in_hand_is_bounded_by_rows_bytes_and_keys(ground: &Ground) {
    let tables = ground.tables().await;
    let outbox = Outbox::open(tables.clone()).await.unwrap();
    let wide = || RelayOptions { lease: Duration::from_secs(120), ..RelayOptions::default() };
    // A payload has 12 bytes: the third begins within 30.
    for (options, most) in [
        (wide(), ORDERS),
        (RelayOptions { rows: 2, ..wide() }, 2),
        (RelayOptions { bytes: 30, ..wide() }, 3),
        (RelayOptions { bytes: 0, ..wide() }, 1),
        (RelayOptions { keys_at_once: 4, ..wide() }, 4),
    ] {
        write(&tables, ORDERS, 1..=NUMBERS).await;
        let hand = Hand::default();
        let relay = at_work(&outbox, hand.clone(), options);
        waiting(&outbox, 0).await;
        relay.stop().await;
        assert_eq!(hand.most.load(Ordering::SeqCst), most);
    }
}

/// Takes nothing before it is opened.
struct Closed(watch::Receiver<bool>);

impl Broker for Closed {
    async fn publish(&self, _: &Message) -> Result<(), PublishError> {
        let opened = self.0.clone().wait_for(|open| *open).await.is_ok();
        if opened { Ok(()) } else { Err(PublishError::Unavailable("closed for good".to_owned())) }
    }
}

async fn what_a_relay_has_in_hand_is_told_while_it_has_it(ground: &Ground) {
    let tables = ground.tables().await;
    let outbox = Outbox::open(tables.clone()).await.unwrap();
    write(&tables, ORDERS, 1..=NUMBERS).await;
    let (open, opened) = watch::channel(false);
    // Longer than a busy machine takes, so that no limit comes first.
    let lease = Duration::from_secs(400);
    let options = RelayOptions { rows: 7, lease, publish_limit: lease, ..RelayOptions::default() };
    let relay = at_work(&outbox, Closed(opened), options);
    until(async || relay.status().in_hand.messages == 7).await;
    // A payload has 12 bytes, and 13 as a jsonb says it.
    assert_eq!(relay.status().in_hand.bytes / 7, 12 + u64::from(tables.dialect() == Dialect::Postgres));
    open.send(true).unwrap();
    waiting(&outbox, 0).await;
    let most = relay.status().most_in_hand;
    until(async || relay.status().in_hand == InHand::default()).await;
    assert_eq!((relay.status().failures, most.messages), (0, 7));
    relay.stop().await;
}

/// Few bytes when it is written, and as many digits when a jsonb is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_that_comes_out_larger_than_it_went_in_is_bounded_by_what_comes_out() {
    const DIGITS: u64 = 4000;
    let tables = Ground::postgres().tables().await;
    let outbox = Outbox::open(tables.clone()).await.unwrap();
    let message = |number: u64| {
        let payload = format!(r#"{{"number":1e{}}}"#, DIGITS - 1);
        Message::of(&event(number, &format!("o{number}")), payload).insert().unwrap()
    };
    tables.run((1..=ALL).map(message).collect()).await.unwrap();
    let options = RelayOptions { bytes: 2 * DIGITS, lease: Duration::from_secs(120), ..RelayOptions::default() };
    let relay = at_work(&outbox, Hand::default(), options);
    waiting(&outbox, 0).await;
    let most = relay.status().most_in_hand;
    relay.stop().await;
    // The second begins within the bound.
    assert_eq!((most.messages, most.bytes / DIGITS), (2, 2));
}

atalaya_sandbox::on_every_backend! {
    what_a_relay_has_in_hand_is_bounded_by_rows_bytes_and_keys
    what_a_relay_has_in_hand_is_told_while_it_has_it
    a_relay_killed_between_publishing_and_deleting_loses_and_doubles_nothing
    a_relay_frozen_for_longer_than_its_lease_deletes_nothing
    of_two_relays_one_publishes_and_the_other_goes_on_after_it
}
