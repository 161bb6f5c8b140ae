//! A message that the broker will never take.

use atalaya_cqrs::outbox::{Message, Outbox, OutboxError};
use atalaya_nats::JetStream;
use uuid::Uuid;

use super::orders::{at_work, event, numbers, quick, server, stream, until};
use crate::ground::{Ground, rows};

async fn a_message_that_is_too_large_holds_its_own_key_until_somebody_decides(ground: &Ground) {
    let tables = ground.tables().await;
    let outbox = Outbox::open(tables.clone()).await.unwrap();
    let stream = stream(&server().url());
    let large = format!(r#"{{"number":2,"text":"{}"}}"#, "x".repeat(2 << 20));
    let refused = Message::of(&event(3, "a"), large);
    let small =
        |position, order: &str, number: u64| Message::of(&event(position, order), format!(r#"{{"number":{number}}}"#));
    let messages =
        [small(1, "a", 1), small(2, "b", 1), refused.clone(), small(4, "b", 2), small(5, "a", 3), small(6, "b", 3)];
    tables.run(messages.iter().map(|message| message.insert().unwrap()).collect()).await.unwrap();
    let relay = at_work(&outbox, JetStream::new(stream.clone()), quick());
    let stands = async |waiting, held| {
        let status = outbox.status().await.unwrap();
        (status.waiting, status.held) == (waiting, held)
    };
    until(async || stands(1, 1).await).await;
    let found = numbers(&stream).await;
    assert_eq!((&found["a"], &found["b"]), (&vec![1], &vec![1, 2, 3]));
    let held = outbox.held(10).await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!((held[0].id, held[0].aggregate_id.as_str()), (refused.id(), "a"));
    assert_eq!(held[0].reason, "the message is larger than the broker takes");
    // Released, it is refused again.
    outbox.release(refused.id()).await.unwrap();
    until(async || stands(1, 1).await).await;
    assert!(matches!(outbox.drop_held(refused.id(), " ").await, Err(OutboxError::NoReason)));
    assert!(matches!(outbox.drop_held(Uuid::nil(), "no").await, Err(OutboxError::NotHeld { .. })));
    assert!(matches!(outbox.release(messages[4].id()).await, Err(OutboxError::NotHeld { .. })));
    outbox.drop_held(refused.id(), "sent by post").await.unwrap();
    until(async || stands(0, 0).await).await;
    relay.stop().await;
    assert_eq!(numbers(&stream).await["a"], [1, 3]);
    let dropped = rows(&tables, "SELECT CAST(id AS text), reason FROM atalaya_outbox_dropped").await;
    let texts: Vec<&str> = dropped[0].iter().map(|value| value.as_text().unwrap()).collect();
    assert_eq!(texts, [refused.id().to_string().as_str(), "sent by post"]);
}

atalaya_sandbox::on_every_backend! {
    a_message_that_is_too_large_holds_its_own_key_until_somebody_decides
}
