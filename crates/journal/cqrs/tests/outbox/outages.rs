//! A broker that is away, and one that comes back.

use atalaya_cqrs::outbox::{Message, Outbox};
use atalaya_cqrs::projection::{Names, Poison, Projection, Projector, Table};
use atalaya_eventstore::{
    Append, Dialect, Event, EventType, Expected, NewEvent, Position, Selection, Statement, StreamName,
};
use atalaya_nats::JetStream;
use atalaya_sandbox::NatsServer;
use tokio::sync::watch;

use super::orders::{assert_all_once_in_order, at_work, quick, server, stream, waiting, write};
use crate::ground::Ground;

/// Announces each event under its own data.
struct Announced;

impl Projection for Announced {
    fn name(&self) -> &str {
        "announced"
    }

    fn version(&self) -> u32 {
        1
    }

    fn selection(&self) -> Selection {
        Selection::Category("order".to_owned())
    }

    fn tables(&self, _: Dialect) -> Vec<Table> {
        Vec::new()
    }

    fn project(&self, _: &Event, _: &Names) -> Result<Vec<Statement>, Poison> {
        Ok(Vec::new())
    }

    fn effects(&self, event: &Event) -> Result<Vec<Statement>, Poison> {
        let data = event.data.as_deref().ok_or_else(|| Poison("erased".to_owned()))?;
        let data = std::str::from_utf8(data).map_err(|_| Poison("no text".to_owned()))?;
        Ok(vec![Message::of(event, data).insert()?])
    }
}

async fn many_orders_keep_each_its_order_while_they_are_written(ground: &Ground) {
    const ORDERS: u64 = 24;
    const CHANGES: u64 = 12;
    let (store, tables) = (ground.store().await, ground.tables().await);
    let outbox = Outbox::open(tables.clone()).await.unwrap();
    let projector = Projector::open(store.clone(), tables, Announced).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let following = tokio::spawn(async move { projector.follow(stopped).await });
    let stream = stream(&server().url());
    let relay = at_work(&outbox, JetStream::new(stream.clone()), quick());
    let mut writers = Vec::new();
    for writer in 0..4 {
        let store = store.clone();
        writers.push(tokio::spawn(async move {
            let mut last = Position::START;
            for number in 1..=CHANGES {
                for order in (writer..ORDERS).step_by(4) {
                    let name = StreamName::new(format!("order-o{order}")).unwrap();
                    let data = format!(r#"{{"number":{number}}}"#);
                    let event = NewEvent::new(EventType::new("OrderChanged").unwrap(), data);
                    let append = Append::to_stream(name, Expected::Any, vec![event]);
                    last = store.append(append).await.unwrap().last;
                }
            }
            last
        }));
    }
    let mut last = Position::START;
    for writer in writers {
        last = last.max(writer.await.unwrap());
    }
    let reader = Projector::open(store, ground.tables().await, Announced).await.unwrap();
    reader.wait_for(last, std::time::Duration::from_secs(120)).await.unwrap();
    waiting(&outbox, 0).await;
    stop.send(true).unwrap();
    following.await.unwrap().unwrap();
    relay.stop().await;
    assert_all_once_in_order(&stream, ORDERS, CHANGES).await;
}

async fn a_broker_that_was_killed_gets_everything_once_in_order_when_it_is_back(ground: &Ground) {
    const ORDERS: u64 = 40;
    let tables = ground.tables().await;
    let outbox = Outbox::open(tables.clone()).await.unwrap();
    let mut server = NatsServer::start().unwrap();
    let stream = stream(&server.url());
    let relay = at_work(&outbox, JetStream::new(stream.clone()), quick());
    write(&tables, ORDERS, 1..=2).await;
    waiting(&outbox, 0).await;
    server.kill().unwrap();
    write(&tables, ORDERS, 3..=60).await;
    let status = outbox.status().await.unwrap();
    assert_eq!((status.waiting, status.held, status.oldest.is_some()), (58 * ORDERS, 0, true));
    server.start_again().unwrap();
    // Killed once more in the midst of it.
    super::orders::until(async || outbox.status().await.unwrap().waiting < 50 * ORDERS).await;
    server.kill().unwrap();
    server.start_again().unwrap();
    waiting(&outbox, 0).await;
    assert_eq!(outbox.status().await.unwrap().oldest, None);
    relay.stop().await;
    assert_all_once_in_order(&stream, ORDERS, 60).await;
}

atalaya_sandbox::on_every_backend! {
    many_orders_keep_each_its_order_while_they_are_written
    a_broker_that_was_killed_gets_everything_once_in_order_when_it_is_back
}
