//! The same append twice is one append.

use atalaya_eventstore::{Conflict, Error, Expected};

use crate::ground::Ground;
use crate::making::{all, event, numbered, one};

on_every_backend! {
    a_repeat_gives_the_first_answer_also_after_a_restart
    the_same_append_from_twenty_writers_is_one_event
    another_body_under_the_same_identity_is_refused
    an_append_that_shares_an_event_with_another_is_refused
}

async fn a_repeat_gives_the_first_answer_also_after_a_restart(ground: &Ground) {
    let store = ground.open().await;
    store.append(one("other-1", Expected::None)).await.unwrap();
    let append = numbered("a-1", 0..3);
    assert_eq!(store.appended(append.id).await.unwrap(), None);
    let first = store.append(append.clone()).await.unwrap();
    assert!(!first.repeated);
    store.append(one("a-1", Expected::Exact(3))).await.unwrap();
    let again = store.append(append.clone()).await.unwrap();
    assert!(again.repeated);
    store.close().await;
    let store = ground.open().await;
    let asked = store.appended(append.id).await.unwrap().unwrap();
    let later = store.append(append).await.unwrap();
    for repeat in [again, asked, later] {
        assert!(repeat.repeated);
        assert_eq!((repeat.first, repeat.last, repeat.versions), (first.first, first.last, first.versions.clone()));
    }
    assert_eq!(all(&store).await.len(), 5);
}

async fn the_same_append_from_twenty_writers_is_one_event(ground: &Ground) {
    let append = one("a-1", Expected::None);
    let mut appends = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (store, append) = (ground.open().await, append.clone());
        appends.spawn(async move { store.append(append).await.unwrap() });
    }
    let answers = appends.join_all().await;
    assert_eq!(answers.iter().filter(|answer| !answer.repeated).count(), 1);
    assert!(answers.iter().all(|answer| answer.last.number() == 1 && answer.versions[0].1 == 1));
    assert_eq!(all(&ground.open().await).await.len(), 1);
}

async fn another_body_under_the_same_identity_is_refused(ground: &Ground) {
    let store = ground.open().await;
    let append = numbered("a-1", 0..1);
    store.append(append.clone()).await.unwrap();
    let mut data = append.clone();
    data.streams[0].events[0].data = "1".into();
    let mut other_stream = append.clone();
    other_stream.streams[0].stream = crate::making::stream("a-2");
    let mut longer = append.clone();
    longer.streams[0].events.push(event("{}"));
    let mut other_condition = append;
    other_condition.streams[0].expected = Expected::None;
    for other in [data, other_stream, longer, other_condition] {
        let answer = store.append(other).await;
        assert!(matches!(answer, Err(Error::Conflict(Conflict::OtherBody { .. }))), "{answer:?}");
    }
    assert_eq!(all(&store).await.len(), 1);
}

async fn an_append_that_shares_an_event_with_another_is_refused(ground: &Ground) {
    let store = ground.open().await;
    let append = numbered("a-1", 0..3);
    store.append(append.clone()).await.unwrap();
    let mut overlapping = numbered("a-1", 3..6);
    overlapping.streams[0].events[1] = append.streams[0].events[2].clone();
    let answer = store.append(overlapping).await;
    assert!(matches!(answer, Err(Error::Conflict(Conflict::Overlap { .. }))), "{answer:?}");
    assert_eq!(all(&store).await.len(), 3);
}
