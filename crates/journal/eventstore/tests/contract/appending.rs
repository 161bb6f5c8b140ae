//! Appending under conditions.

use atalaya_eventstore::{Append, AppendId, Conflict, Error, Expected, Position, StreamAppend};

use crate::ground::Ground;
use crate::making::{all, event, event_of, numbered, one, stream};

on_every_backend! {
    each_condition_admits_what_it_says
    an_append_to_several_streams_is_made_whole_or_not_at_all
    a_guard_on_a_stream_that_is_not_written_is_checked
    twenty_appends_to_a_new_stream_that_expect_nothing_are_twenty_events
    of_twenty_appends_that_expect_a_new_stream_one_is_made
    what_no_journal_could_take_is_refused_before_it_gets_there
    an_append_that_the_store_cannot_take_does_not_fail_its_neighbours
}

fn conflicts(answer: Result<impl Sized, Error>) -> bool {
    matches!(answer, Err(Error::Conflict(Conflict::Version { .. })))
}

async fn each_condition_admits_what_it_says(ground: &Ground) {
    let store = ground.open().await;
    assert!(conflicts(store.append(one("a-1", Expected::Exists)).await));
    assert!(conflicts(store.append(one("a-1", Expected::Exact(1))).await));
    store.append(one("a-1", Expected::None)).await.unwrap();
    assert!(conflicts(store.append(one("a-1", Expected::None)).await));
    assert!(conflicts(store.append(one("a-1", Expected::Exact(0))).await));
    store.append(one("a-1", Expected::Exact(1))).await.unwrap();
    store.append(one("a-1", Expected::Exists)).await.unwrap();
    let last = store.append(one("a-1", Expected::Any)).await.unwrap();
    assert_eq!((last.first, last.last), (Position::new(4), Position::new(4)));
    assert_eq!(last.versions, [(stream("a-1"), 4)]);
    assert_eq!(store.version(&stream("a-1")).await.unwrap(), 4);
    assert_eq!(store.version(&stream("a-2")).await.unwrap(), 0);
    assert_eq!(all(&store).await.len(), 4);
}

async fn an_append_to_several_streams_is_made_whole_or_not_at_all(ground: &Ground) {
    let store = ground.open().await;
    let of = |name: &str, expected| StreamAppend { stream: stream(name), expected, events: vec![event(name)] };
    let both = |first, second| Append {
        id: AppendId::generate(),
        streams: vec![of("a-1", first), of("b-1", second)],
        guards: Vec::new(),
    };
    assert!(conflicts(store.append(both(Expected::None, Expected::Exists)).await));
    assert_eq!(store.head().await.unwrap(), Position::START);
    let made = store.append(both(Expected::None, Expected::None)).await.unwrap();
    assert_eq!(made.versions, [(stream("a-1"), 1), (stream("b-1"), 1)]);
    assert_eq!((made.first, made.last), (Position::new(1), Position::new(2)));
    assert!(conflicts(store.append(both(Expected::Exact(1), Expected::Exact(2))).await));
    assert_eq!(all(&store).await.len(), 2);
}

async fn a_guard_on_a_stream_that_is_not_written_is_checked(ground: &Ground) {
    let store = ground.open().await;
    store.append(one("lease-1", Expected::None)).await.unwrap();
    let guarded = |version| one("work-1", Expected::Any).guarded_by(stream("lease-1"), Expected::Exact(version));
    store.append(guarded(1)).await.unwrap();
    store.append(one("lease-1", Expected::Exact(1))).await.unwrap();
    assert!(conflicts(store.append(guarded(1)).await));
    store.append(guarded(2)).await.unwrap();
    assert_eq!(store.version(&stream("work-1")).await.unwrap(), 2);
}

async fn twenty_appends_to_a_new_stream_that_expect_nothing_are_twenty_events(ground: &Ground) {
    let (first, second) = (ground.open().await, ground.open().await);
    let mut appends = tokio::task::JoinSet::new();
    for number in 0..20 {
        let store = if number % 2 == 0 { first.clone() } else { second.clone() };
        appends.spawn(async move { store.append(one("a-1", Expected::Any)).await.unwrap() });
    }
    assert!(appends.join_all().await.iter().all(|made| !made.repeated));
    assert_eq!(all(&first).await.len(), 20);
}

async fn of_twenty_appends_that_expect_a_new_stream_one_is_made(ground: &Ground) {
    let (first, second) = (ground.open().await, ground.open().await);
    let mut appends = tokio::task::JoinSet::new();
    for number in 0..20 {
        let store = if number % 2 == 0 { first.clone() } else { second.clone() };
        appends.spawn(async move { store.append(one("a-1", Expected::None)).await });
    }
    let (made, refused): (Vec<_>, Vec<_>) = appends.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    assert!(refused.into_iter().all(conflicts));
    assert_eq!(all(&first).await.len(), 1);
}

async fn what_no_journal_could_take_is_refused_before_it_gets_there(ground: &Ground) {
    let store = ground.open().await;
    let mut twice = one("a-1", Expected::Any);
    twice.streams.push(twice.streams[0].clone());
    let large = Append::to_stream(stream("a-1"), Expected::Any, vec![event(&"x".repeat((1 << 20) + 1))]);
    let empty = Append::to_stream(stream("a-1"), Expected::Any, Vec::new());
    for append in [twice, large, empty] {
        assert!(matches!(store.append(append).await, Err(Error::Unappendable { .. })));
    }
    assert_eq!(store.head().await.unwrap(), Position::START);
}

/// A trigger stands for whatever a store may have against one event.
async fn an_append_that_the_store_cannot_take_does_not_fail_its_neighbours(ground: &Ground) {
    let store = ground.open().await;
    match ground {
        Ground::Sqlite(_) => ground.run_sql(
            "CREATE TRIGGER poison BEFORE INSERT ON events WHEN new.type = 'Poison'
             BEGIN SELECT raise(ABORT, 'refused'); END",
        ),
        Ground::Postgres { .. } => ground.run_sql("ALTER TABLE events ADD CHECK (type <> 'Poison')"),
    };
    let mut appends = tokio::task::JoinSet::new();
    for number in 0..40 {
        let store = store.clone();
        let event_type = if number % 8 == 3 { "Poison" } else { "Happened" };
        let append = Append::to_stream(stream("a-1"), Expected::Any, vec![event_of(event_type, "{}")]);
        appends.spawn(async move { store.append(append).await.is_ok() });
    }
    let made = appends.join_all().await.into_iter().filter(|made| *made).count();
    assert_eq!(made, 35);
    store.append(numbered("a-1", 0..3)).await.unwrap();
    assert_eq!(all(&store).await.len(), 38);
}
