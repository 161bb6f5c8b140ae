//! A table with a row for each account, written without SQL, and what others are told of it.

use std::time::Duration;

use atalaya_cqrs::outbox::Outbox;
use atalaya_cqrs::projection::{Made, ProjectionError, Projector, RowPerAggregate, TableOf, Turn};
use atalaya_cqrs::{Aggregate, Aggregates};
use atalaya_eventstore::{Store, Tables, Value};
use serde::{Deserialize, Serialize};

use crate::account::NotEnough;
use crate::ground::{Ground, number, rows};

#[derive(Default, Serialize, Deserialize)]
struct Account;

#[derive(Serialize, Deserialize)]
enum Paid {
    In(i64),
    Out { amount: i64, to: String },
    Looked,
}

impl Aggregate for Account {
    const CATEGORY: &'static str = "account";
    type Event = Paid;
    fn apply(&mut self, _: &Paid) {}
}

/// The same, at a later version.
#[derive(Default, Serialize, Deserialize)]
struct Later;

impl Aggregate for Later {
    const CATEGORY: &'static str = "account";
    type Event = Paid;
    fn apply(&mut self, _: &Paid) {}
}

const COLUMNS: &str = "balance bigint NOT NULL DEFAULT 0 CHECK (balance < 1000), last_to text, kind text NOT NULL";

fn make(id: &str, event: &Paid) -> Made {
    let made = Made::nothing().set("kind", Account::event_type(event));
    match event {
        Paid::In(amount) => made.add("balance", *amount),
        Paid::Out { amount, to } => made.add("balance", -amount).set("last_to", to.as_str()).tell(&(id, to)),
        Paid::Looked => Made::nothing(),
    }
}

impl TableOf for Account {
    const NAME: &'static str = "accounts";
    const COLUMNS: &'static str = COLUMNS;
    fn make(id: &str, event: Paid) -> Made {
        make(id, &event)
    }
}

impl TableOf for Later {
    const NAME: &'static str = "accounts";
    const VERSION: u32 = 2;
    const COLUMNS: &'static str = COLUMNS;
    fn make(id: &str, event: Paid) -> Made {
        make(id, &event)
    }
}

async fn happen(store: &Store, account: &str, event: fn() -> Paid) {
    let accounts = Aggregates::<Account>::new(store.clone());
    accounts.execute(account, |_| Ok::<_, NotEnough>(vec![event()])).await.unwrap();
}

async fn seen(tables: &Tables) -> Vec<Vec<Value>> {
    rows(tables, "SELECT id, balance, last_to, kind FROM accounts ORDER BY id").await
}

async fn each_aggregate_has_one_row_and_others_are_told_once(ground: &Ground) {
    let (store, tables) = (ground.store().await, ground.tables().await);
    Outbox::open(tables.clone()).await.unwrap();
    happen(&store, "a-1", || Paid::In(5)).await;
    happen(&store, "b", || Paid::Out { amount: 2, to: "a".to_owned() }).await;
    happen(&store, "a-1", || Paid::Out { amount: 1, to: "b".to_owned() }).await;
    happen(&store, "c", || Paid::Looked).await;
    let first = Projector::open(store.clone(), tables.clone(), RowPerAggregate::<Account>::new()).await.unwrap();
    while let Turn::To(_) = first.turn().await.unwrap() {}
    let text = |text: &str| Value::from(text);
    let right = [
        vec![text("a-1"), Value::Integer(4), text("b"), text("Out")],
        vec![text("b"), Value::Integer(-2), text("a"), text("Out")],
    ];
    assert_eq!(seen(&tables).await, right);
    let told = rows(&tables, "SELECT aggregatetype, aggregateid, type FROM outbox ORDER BY position").await;
    assert_eq!(told, [["account", "b", "Out"], ["account", "a-1", "Out"]].map(|row| row.map(Value::from).to_vec()));

    let second = Projector::open(store.clone(), tables.clone(), RowPerAggregate::<Later>::new()).await.unwrap();
    while let Turn::To(_) = second.turn().await.unwrap() {}
    assert!(second.swap_in().await.unwrap());
    assert_eq!(seen(&tables).await, right);
    assert_eq!(number(&tables, "SELECT count(*) FROM outbox").await, 2);
}

async fn an_event_whose_row_is_refused_stops_it(ground: &Ground) {
    let (store, tables) = (ground.store().await, ground.tables().await);
    happen(&store, "a", || Paid::In(999)).await;
    happen(&store, "a", || Paid::In(1)).await;
    let projector = Projector::open(store.clone(), tables.clone(), RowPerAggregate::<Account>::new()).await.unwrap();
    let stopped = projector.turn().await;
    assert!(
        matches!(stopped, Err(ProjectionError::Poisoned { position, .. }) if position.number() == 2),
        "{stopped:?}"
    );
    let behind = projector.wait_for(store.head().await.unwrap(), Duration::ZERO).await;
    assert!(matches!(behind, Err(ProjectionError::Behind { .. })), "{behind:?}");
}

atalaya_sandbox::on_every_backend! {
    each_aggregate_has_one_row_and_others_are_told_once
    an_event_whose_row_is_refused_stops_it
}
