//! What is in the table.

use atalaya_cqrs::outbox::{Message, Outbox};
use atalaya_eventstore::TablesError;

use super::orders::event;
use crate::ground::{Ground, number, rows};

/// As Debezium's outbox event router expects them when nothing is configured.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_columns_are_debeziums_by_name_and_type() {
    let tables = Ground::postgres().tables().await;
    Outbox::open(tables.clone()).await.unwrap();
    let sql = "SELECT CAST(column_name AS text), CAST(data_type AS text), CAST(character_maximum_length AS bigint)
                 FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'outbox'
                ORDER BY ordinal_position LIMIT 5";
    let columns: Vec<_> = rows(&tables, sql)
        .await
        .iter()
        .map(|row| (row[0].as_text().unwrap().to_owned(), row[1].as_text().unwrap().to_owned(), row[2].as_integer()))
        .collect();
    let expected = [
        ("id", "uuid", None),
        ("aggregatetype", "character varying", Some(255)),
        ("aggregateid", "character varying", Some(255)),
        ("type", "character varying", Some(255)),
        ("payload", "jsonb", None),
    ];
    assert_eq!(columns, expected.map(|(name, kind, length)| (name.to_owned(), kind.to_owned(), length)));
}

async fn a_message_is_there_once_whoever_writes_it_again(ground: &Ground) {
    let tables = ground.tables().await;
    Outbox::open(tables.clone()).await.unwrap();
    Outbox::open(tables.clone()).await.unwrap();
    let event = event(1, "a");
    let first = Message::of(&event, "{}");
    let second = Message::of(&event, "[1]").part(&event, 1);
    assert_ne!(first.id(), second.id());
    tables.run(vec![first.insert().unwrap(), second.insert().unwrap()]).await.unwrap();
    for message in [first, second] {
        let again = tables.run(vec![message.insert().unwrap()]).await;
        assert!(matches!(again, Err(TablesError::Refused { statement: 0, .. })), "{again:?}");
    }
    assert_eq!(number(&tables, "SELECT count(*) FROM outbox").await, 2);
}

#[test]
fn what_cannot_be_a_message_is_poison() {
    let event = event(1, "a");
    for message in [
        Message::of(&event, "no JSON"),
        Message::of(&event, "{}").about("order", ""),
        Message::of(&event, "{}").about("o".repeat(256), "1"),
        Message::of(&event, "{}").called("a\nb"),
    ] {
        assert!(message.insert().is_err(), "{message:?}");
    }
}

atalaya_sandbox::on_every_backend! {
    a_message_is_there_once_whoever_writes_it_again
}
