//! Acknowledgements that are lost on their way.

use atalaya_cqrs::outbox::Outbox;
use atalaya_nats::JetStream;
use atalaya_sandbox::{Fault, Proxy};

use super::orders::{assert_all_once_in_order, at_work, quick, server, stream, waiting, write};
use crate::ground::Ground;

const ORDERS: u64 = 20;
const NUMBERS: u64 = 15;
/// Beyond the broker's greeting and its answers about the stream: among the acknowledgements of the first messages.
const AFTER_BYTES: u64 = 4000;

async fn relayed_through(ground: &Ground, fault: Fault) {
    let tables = ground.tables().await;
    let outbox = Outbox::open(tables.clone()).await.unwrap();
    write(&tables, ORDERS, 1..=NUMBERS).await;
    let proxy = Proxy::with_fault(server().port(), fault, AFTER_BYTES).unwrap();
    let direct = stream(&server().url());
    let mut faulty = direct.clone();
    faulty.url = proxy.url(&direct.url);
    let relay = at_work(&outbox, JetStream::new(faulty), quick());
    waiting(&outbox, 0).await;
    relay.stop().await;
    assert!(proxy.has_struck());
    assert_all_once_in_order(&direct, ORDERS, NUMBERS).await;
}

async fn a_broker_that_stores_and_whose_acknowledgements_are_lost_has_nothing_twice(ground: &Ground) {
    relayed_through(ground, Fault::LoseAnswers).await;
}

async fn a_connection_that_hangs_up_loses_and_doubles_nothing(ground: &Ground) {
    relayed_through(ground, Fault::HangUp).await;
}

async fn a_connection_that_falls_silent_loses_and_doubles_nothing(ground: &Ground) {
    relayed_through(ground, Fault::Freeze).await;
}

atalaya_sandbox::on_every_backend! {
    a_broker_that_stores_and_whose_acknowledgements_are_lost_has_nothing_twice
    a_connection_that_hangs_up_loses_and_doubles_nothing
    a_connection_that_falls_silent_loses_and_doubles_nothing
}
