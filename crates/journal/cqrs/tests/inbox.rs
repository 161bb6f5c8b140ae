//! Messages of a real broker, handed over to a service that is broken off, and that are there twice.

use std::sync::Mutex;

use atalaya_cqrs::Aggregates;
use atalaya_cqrs::inbox::{HandlerError, Inbox, InboxError, Incoming, Unreadable};
use atalaya_eventstore::Store;
use atalaya_nats::{JetStream, Options, Outgoing};
use atalaya_sandbox::NatsServer;
use tokio::sync::watch;

use crate::account::{Account, Moved, NotEnough};
use crate::ground::{Ground, number};
use crate::outbox::{server, stream};

/// So much is paid in to account `a`, under an identity, and a header of the broker's own that may be another one.
pub(crate) async fn send(stream: &JetStream, id: &str, relayed_as: &str, amount: i64) {
    let payload = amount.to_string().into();
    let headers = [("id", id), ("type", "Paid")];
    stream.publish(Outgoing { id: relayed_as, kind: "payment", headers: &headers, payload }).await.unwrap();
}

pub(crate) async fn pay_in(store: &Store, message: &Incoming) -> Result<(), HandlerError> {
    assert_eq!(message.message_type.as_deref(), Some("Paid"));
    let amount: i64 = message.read()?;
    let accounts = Aggregates::<Account>::new(store.clone());
    accounts.execute_once("a", &message.id, |_| Ok::<_, NotEnough>(vec![Moved::In(amount)])).await?;
    Ok(())
}

pub(crate) async fn balance(store: &Store) -> Account {
    Aggregates::<Account>::new(store.clone()).load::<NotEnough>("a").await.unwrap().state
}

/// Follows up to a message of this identity, and stops after it.
pub(crate) async fn follow_to(inbox: &Inbox, store: &Store, last: &str) -> Vec<String> {
    let (stop, stopped) = watch::channel(false);
    let ids = Mutex::new(Vec::new());
    let handle = async |message: Incoming| {
        pay_in(store, &message).await?;
        ids.lock().unwrap().push(message.id.clone());
        if message.id == last {
            stop.send(true)?;
        }
        Ok(())
    };
    inbox.follow(stopped, handle).await.unwrap();
    ids.into_inner().unwrap()
}

async fn messages_come_in_their_order_and_go_on_where_they_were_left(ground: &Ground) {
    let (store, stream) = (ground.store().await, JetStream::new(stream(&server().url())));
    let inbox = Inbox::open(ground.tables().await, stream.clone()).await.unwrap();
    assert_eq!(inbox.position().await.unwrap(), 0);
    for (id, amount) in [("m1", 1), ("m2", 2), ("m3", 3)] {
        send(&stream, id, id, amount).await;
    }
    assert_eq!(follow_to(&inbox, &store, "m2").await, ["m1", "m2"]);
    let again = Inbox::open(ground.tables().await, stream.clone()).await.unwrap();
    assert_eq!(again.position().await.unwrap(), 2);
    send(&stream, "m4", "m4", 4).await;
    assert_eq!(follow_to(&again, &store, "m4").await, ["m3", "m4"]);
    assert_eq!(balance(&store).await, Account { balance: 10, movements: 4 });
}

async fn what_broke_off_before_its_place_was_stored_is_handed_over_again_and_counts_once(ground: &Ground) {
    let (store, stream) = (ground.store().await, JetStream::new(stream(&server().url())));
    let tables = ground.tables().await;
    let inbox = Inbox::open(tables.clone(), stream.clone()).await.unwrap();
    send(&stream, "m1", "m1", 1).await;
    send(&stream, "m2", "m2", 2).await;
    let (_stop, stopped) = watch::channel(false);
    let breaking = async |message: Incoming| {
        pay_in(&store, &message).await?;
        if message.id == "m2" { Err("as if it were killed".into()) } else { Ok(()) }
    };
    let broken = inbox.follow(stopped, breaking).await;
    assert!(matches!(&broken, Err(InboxError::NotHandled { id, .. }) if id == "m2"), "{broken:?}");
    assert_eq!((inbox.position().await.unwrap(), balance(&store).await.balance), (1, 3));
    assert_eq!(follow_to(&inbox, &store, "m2").await, ["m2"]);
    // The table was restored from before anything was read.
    tables.run(vec![atalaya_eventstore::Statement::new("DELETE FROM inbox", Vec::new())]).await.unwrap();
    assert_eq!(follow_to(&inbox, &store, "m2").await, ["m1", "m2"]);
    assert_eq!(balance(&store).await, Account { balance: 3, movements: 2 });
}

async fn a_message_that_was_relayed_twice_has_one_identity(ground: &Ground) {
    let (store, stream) = (ground.store().await, JetStream::new(stream(&server().url())));
    let inbox = Inbox::open(ground.tables().await, stream.clone()).await.unwrap();
    send(&stream, "m1", "first", 1).await;
    send(&stream, "m1", "second", 1).await;
    send(&stream, "m2", "m2", 2).await;
    assert_eq!(follow_to(&inbox, &store, "m2").await, ["m1", "m1", "m2"]);
    assert_eq!(balance(&store).await, Account { balance: 3, movements: 2 });
}

async fn a_message_that_cannot_be_read_stops_it_and_says_nothing_of_its_values(ground: &Ground) {
    let (store, stream) = (ground.store().await, JetStream::new(stream(&server().url())));
    let inbox = Inbox::open(ground.tables().await, stream.clone()).await.unwrap();
    let headers = [("id", "m1"), ("type", "Paid")];
    let secret = Outgoing { id: "m1", kind: "payment", headers: &headers, payload: "\"secret\"".into() };
    stream.publish(secret).await.unwrap();
    let (_stop, stopped) = watch::channel(false);
    let stuck = inbox.follow(stopped, async |message: Incoming| pay_in(&store, &message).await).await.unwrap_err();
    let InboxError::NotHandled { source, .. } = &stuck else { panic!("{stuck:?}") };
    assert_eq!(source.downcast_ref::<Unreadable>(), Some(&Unreadable));
    assert!(!format!("{stuck:?}").contains("secret"));
    assert_eq!(inbox.position().await.unwrap(), 0);
}

async fn of_two_that_follow_one_stream_into_one_table_one_goes_on(ground: &Ground) {
    let (store, stream) = (ground.store().await, JetStream::new(stream(&server().url())));
    let inbox = Inbox::open(ground.tables().await, stream.clone()).await.unwrap();
    let other = Inbox::open(ground.tables().await, stream.clone()).await.unwrap();
    send(&stream, "m1", "m1", 1).await;
    let (_stop, stopped) = watch::channel(false);
    let overtaken = async |message: Incoming| {
        follow_to(&other, &store, "m1").await;
        pay_in(&store, &message).await
    };
    let late = inbox.follow(stopped, overtaken).await;
    assert!(matches!(late, Err(InboxError::Contended { .. })), "{late:?}");
    assert_eq!(balance(&store).await, Account { balance: 1, movements: 1 });
}

async fn a_broker_that_is_away_is_waited_for_and_one_that_lost_its_stream_is_refused(ground: &Ground) {
    let mut broker = NatsServer::start().unwrap();
    let (store, tables) = (ground.store().await, ground.tables().await);
    let options = Options::new(broker.url(), "ORDERS", "orders");
    let inbox = Inbox::open(tables.clone(), JetStream::new(options.clone())).await.unwrap();
    send(&JetStream::new(options.clone()), "m1", "m1", 1).await;
    broker.kill().unwrap();
    let following = tokio::spawn({
        let (inbox, store) = (inbox.clone(), store.clone());
        async move { follow_to(&inbox, &store, "m1").await }
    });
    broker.start_again().unwrap();
    assert_eq!(following.await.unwrap(), ["m1"]);
    broker.stop().unwrap();
    std::fs::remove_dir_all(broker.folder().join("data/jetstream")).unwrap();
    broker.start_again().unwrap();
    // A stream of the same name, and as long: only when it was made tells it.
    send(&JetStream::new(options), "m9", "m9", 9).await;
    let (_stop, stopped) = watch::channel(false);
    let refused = inbox.follow(stopped, async |message: Incoming| pay_in(&store, &message).await).await;
    assert!(matches!(refused, Err(InboxError::OtherStream { .. })), "{refused:?}");
    assert_eq!(number(&tables, "SELECT sequence FROM inbox").await, 1);
    assert_eq!(balance(&store).await, Account { balance: 1, movements: 1 });
}

atalaya_sandbox::on_every_backend! {
    messages_come_in_their_order_and_go_on_where_they_were_left
    what_broke_off_before_its_place_was_stored_is_handed_over_again_and_counts_once
    a_message_that_was_relayed_twice_has_one_identity
    a_message_that_cannot_be_read_stops_it_and_says_nothing_of_its_values
    of_two_that_follow_one_stream_into_one_table_one_goes_on
    a_broker_that_is_away_is_waited_for_and_one_that_lost_its_stream_is_refused
}
