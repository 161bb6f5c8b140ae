//! Following the journal.

use atalaya_eventstore::{Append, Error, EventType, Expected, Position, Selection, Share, Subscribe, Subscription};

use crate::ground::Ground;
use crate::making::{event_of, numbered, one, stream};

on_every_backend! {
    a_subscriber_catches_up_and_then_hears_of_what_other_stores_append
    a_subscriber_goes_on_where_it_was_left
    workers_share_the_streams_and_each_keeps_the_order_of_its_own
    another_number_of_workers_goes_on_from_where_the_slowest_was
    two_subscribers_under_one_name_are_found_out
    a_checkpoint_beyond_the_journals_end_is_refused
    a_checkpoint_of_another_history_is_refused
    what_is_not_selected_is_passed_and_counted
}

/// Collects so many events.
async fn take(subscription: &mut Subscription, count: usize) -> Vec<u64> {
    let mut positions = Vec::new();
    while positions.len() < count {
        let batch = subscription.next().await.unwrap();
        positions.extend(batch.events.iter().map(|event| event.position.number()));
    }
    positions
}

async fn a_subscriber_catches_up_and_then_hears_of_what_other_stores_append(ground: &Ground) {
    let (store, other) = (ground.open().await, ground.open().await);
    store.append(numbered("a-1", 0..700)).await.unwrap();
    let mut subscription = store.subscribe(Subscribe::to_all("s")).await.unwrap();
    assert_eq!(take(&mut subscription, 700).await, (1..=700).collect::<Vec<_>>());
    for position in 701..=720 {
        let waiting = tokio::spawn(async move {
            let found = take(&mut subscription, 1).await;
            (subscription, found)
        });
        other.append(one("a-2", Expected::Any)).await.unwrap();
        let found;
        (subscription, found) = waiting.await.unwrap();
        assert_eq!(found, [position]);
    }
}

async fn a_subscriber_goes_on_where_it_was_left(ground: &Ground) {
    let store = ground.open().await;
    store.append(numbered("a-1", 0..5)).await.unwrap();
    let mut subscription = store.subscribe(Subscribe::to_all("s")).await.unwrap();
    take(&mut subscription, 5).await;
    subscription.store(Position::new(3)).await.unwrap();
    store.close().await;
    let store = ground.open().await;
    let mut subscription = store.subscribe(Subscribe::to_all("s")).await.unwrap();
    assert_eq!(take(&mut subscription, 2).await, [4, 5]);
    subscription.store(Position::new(5)).await.unwrap();
    let mut other = store.subscribe(Subscribe::to_all("other")).await.unwrap();
    assert_eq!(take(&mut other, 5).await.len(), 5);
}

fn shared(worker: u32, workers: u32) -> Subscribe {
    Subscribe { share: Share { worker, workers }, ..Subscribe::to_all("s") }
}

async fn workers_share_the_streams_and_each_keeps_the_order_of_its_own(ground: &Ground) {
    let store = ground.open().await;
    for round in 0..3 {
        for number in 0..20 {
            store.append(numbered(&format!("a-{number}"), round..round + 1)).await.unwrap();
        }
    }
    let mut seen = Vec::new();
    for worker in 0..3 {
        let mut subscription = store.subscribe(shared(worker, 3)).await.unwrap();
        let batch = subscription.next().await.unwrap();
        assert_eq!(batch.through, Position::new(60));
        assert!(batch.events.is_sorted_by_key(|event| event.position));
        let streams: std::collections::HashSet<_> = batch.events.iter().map(|event| event.stream.clone()).collect();
        assert_eq!(batch.events.len(), streams.len() * 3);
        seen.extend(batch.events.iter().map(|event| event.position.number()));
        subscription.store(batch.through).await.unwrap();
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=60).collect::<Vec<_>>());
    let wrong = store.subscribe(shared(3, 3)).await;
    assert!(matches!(wrong, Err(Error::Share { worker: 3, workers: 3 })));
}

async fn another_number_of_workers_goes_on_from_where_the_slowest_was(ground: &Ground) {
    let store = ground.open().await;
    store.append(numbered("a-1", 0..9)).await.unwrap();
    for (worker, through) in [(0, 7), (1, 4)] {
        // With one of two alone nobody knows what the other would have done.
        assert_eq!(store.subscribe(shared(0, 3)).await.unwrap().position(), Position::START);
        store.subscribe(shared(worker, 2)).await.unwrap().store(Position::new(through)).await.unwrap();
    }
    let mut one_of_three = store.subscribe(shared(2, 3)).await.unwrap();
    assert_eq!(one_of_three.position(), Position::new(4));
    one_of_three.store(Position::new(5)).await.unwrap();
    assert_eq!(store.subscribe(shared(2, 3)).await.unwrap().position(), Position::new(5));
    assert_eq!(store.subscribe(shared(0, 2)).await.unwrap().position(), Position::new(7));
}

async fn two_subscribers_under_one_name_are_found_out(ground: &Ground) {
    let store = ground.open().await;
    store.append(numbered("a-1", 0..9)).await.unwrap();
    let mut first = store.subscribe(Subscribe::to_all("s")).await.unwrap();
    let mut second = store.subscribe(Subscribe::to_all("s")).await.unwrap();
    first.store(Position::new(4)).await.unwrap();
    first.store(Position::new(6)).await.unwrap();
    match second.store(Position::new(5)).await {
        Err(Error::CheckpointMoved { expected: Position::START, found, .. }) => assert_eq!(found, Position::new(6)),
        other => panic!("{other:?}"),
    }
    first.store(Position::new(9)).await.unwrap();
    let beyond = first.store(Position::new(10)).await;
    assert!(matches!(beyond, Err(Error::BeyondHead { .. })), "{beyond:?}");
}

/// What a restored older backup comes to, made by hand: fewer events, and the head where it was then.
fn restore_to(ground: &Ground, position: u64) {
    let bits = position.count_ones() as usize;
    let frontier = format!("{position:016x}{}", "00".repeat(32 * bits));
    match ground {
        Ground::Sqlite(_) => ground.run_sql(&format!(
            "DELETE FROM events WHERE position > {position}; DELETE FROM appends WHERE last_position > {position};
             UPDATE head SET position = {position}, frontier = x'{frontier}'"
        )),
        Ground::Postgres { .. } => ground.run_sql(&format!(
            "DELETE FROM events WHERE position > {position}; DELETE FROM appends WHERE last_position > {position};
             UPDATE head SET position = {position}, frontier = decode('{frontier}', 'hex')"
        )),
    };
}

async fn a_checkpoint_beyond_the_journals_end_is_refused(ground: &Ground) {
    let store = ground.open().await;
    store.append(numbered("a-1", 0..9)).await.unwrap();
    let mut subscription = store.subscribe(Subscribe::to_all("s")).await.unwrap();
    take(&mut subscription, 9).await;
    subscription.store(Position::new(9)).await.unwrap();
    restore_to(ground, 5);
    let opened = store.subscribe(Subscribe::to_all("s")).await.err();
    for refused in [opened, subscription.next().await.err()] {
        match refused {
            Some(Error::BeyondHead { position, head }) => {
                assert_eq!((position, head), (Position::new(9), Position::new(5)));
            }
            other => panic!("{other:?}"),
        }
    }
}

async fn a_checkpoint_of_another_history_is_refused(ground: &Ground) {
    let store = ground.open().await;
    store.append(numbered("a-1", 0..9)).await.unwrap();
    let mut subscription = store.subscribe(Subscribe::to_all("s")).await.unwrap();
    subscription.store(Position::new(8)).await.unwrap();
    restore_to(ground, 5);
    store.append(numbered("b-1", 0..9)).await.unwrap();
    match store.subscribe(Subscribe::to_all("s")).await.err() {
        Some(Error::OtherHistory { position }) => assert_eq!(position, Position::new(8)),
        other => panic!("{other:?}"),
    }
}

async fn what_is_not_selected_is_passed_and_counted(ground: &Ground) {
    let store = ground.open().await;
    let wanted = || Append::to_stream(stream("a-1"), Expected::Any, vec![event_of("Wanted", "{}")]);
    store.append(wanted()).await.unwrap();
    store.append(numbered("b-1", 0..5)).await.unwrap();
    let selection = Selection::Types(vec![EventType::new("Wanted").unwrap()]);
    for selection in [selection, Selection::Category("a".into())] {
        let mut subscription = store.subscribe(Subscribe { selection, ..Subscribe::to_all("s") }).await.unwrap();
        let batch = subscription.next().await.unwrap();
        assert_eq!((batch.events.len(), batch.through), (1, Position::new(6)));
    }
    let one_stream = Subscribe { selection: Selection::Stream(stream("a-1")), ..Subscribe::to_all("s") };
    assert!(matches!(store.subscribe(one_stream).await, Err(Error::Unsuitable { .. })));
}
