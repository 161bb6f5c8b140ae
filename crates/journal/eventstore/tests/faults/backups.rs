//! Older backups, and clocks.

use atalaya_eventstore::{Error, Expected, Position, Read, Subscribe};

use crate::ground::Ground;
use crate::making::{all, numbered, one};

on_every_backend! {
    a_restored_backup_refuses_a_subscriber_that_knows_more
    a_clock_that_was_set_back_an_hour_changes_no_order
}

async fn a_restored_backup_refuses_a_subscriber_that_knows_more(ground: &Ground) {
    let store = ground.open().await;
    store.append(numbered("a-1", 0..5)).await.unwrap();
    store.close().await;
    let backup = ground.back_up();
    let store = ground.open().await;
    store.append(numbered("a-1", 5..9)).await.unwrap();
    let (known, chain) = (Position::new(9), store.chain_at(Position::new(9)).await.unwrap());
    assert!(chain.is_some());
    store.close().await;

    let restored = backup.open().await;
    // The subscriber keeps its checkpoint where it keeps what it makes of the events.
    let follow = || Subscribe { after: Some(known), ..Subscribe::to_all("s") };
    match restored.subscribe(follow()).await.err() {
        Some(Error::BeyondHead { position, head }) => assert_eq!((position, head), (known, Position::new(5))),
        other => panic!("{other:?}"),
    }
    // Once it has grown again the position is there, and is another event's.
    restored.append(numbered("b-1", 0..9)).await.unwrap();
    assert!(restored.subscribe(follow()).await.is_ok());
    assert_ne!(restored.chain_at(known).await.unwrap(), chain);
    assert_eq!(restored.chain_at(Position::new(99)).await.unwrap(), None);
}

/// As it is after the clock went back: what is stored is an hour ahead of what comes.
async fn a_clock_that_was_set_back_an_hour_changes_no_order(ground: &Ground) {
    let store = ground.open().await;
    store.append(numbered("a-1", 0..5)).await.unwrap();
    ground.run_sql("UPDATE events SET recorded_at_us = recorded_at_us + 3600000000");
    store.append(one("a-1", Expected::Exact(5))).await.unwrap();
    let events = store.read(Read::all_after(Position::START, 10)).await.unwrap().events;
    assert!(events[5].recorded_at_us < events[4].recorded_at_us);
    assert_eq!(events[5].version, 6);
    let mut subscription = store.subscribe(Subscribe::to_all("s")).await.unwrap();
    subscription.store(Position::new(5)).await.unwrap();
    let mut subscription = store.subscribe(Subscribe::to_all("s")).await.unwrap();
    assert_eq!(subscription.next().await.unwrap().events, events[5..]);
    assert_eq!(all(&store).await.len(), 6);
}
