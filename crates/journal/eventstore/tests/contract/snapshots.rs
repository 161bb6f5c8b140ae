//! Snapshots are a shortcut that is never wrong.

use atalaya_eventstore::{Expected, Snapshot};

use crate::ground::Ground;
use crate::making::{numbered, one, stream};

on_every_backend! {
    a_snapshot_of_another_mark_is_not_used_and_a_newer_one_stays
    a_snapshot_beyond_its_stream_is_not_used
}

fn snapshot(version: u64, mark: &str) -> Snapshot {
    Snapshot { stream: stream("a-1"), version, mark: mark.to_owned(), data: format!("{mark} {version}").into() }
}

async fn a_snapshot_of_another_mark_is_not_used_and_a_newer_one_stays(ground: &Ground) {
    let store = ground.open().await;
    assert!(!store.save_snapshot(snapshot(1, "m1")).await.unwrap(), "of a stream without events");
    store.append(numbered("a-1", 0..5)).await.unwrap();
    assert!(store.save_snapshot(snapshot(4, "m1")).await.unwrap());
    assert!(!store.save_snapshot(snapshot(3, "m1")).await.unwrap(), "older");
    assert!(!store.save_snapshot(snapshot(6, "m1")).await.unwrap(), "of no event");
    assert_eq!(store.snapshot(&stream("a-1"), "m1").await.unwrap(), Some(snapshot(4, "m1")));
    assert_eq!(store.snapshot(&stream("a-1"), "m2").await.unwrap(), None);
    assert!(store.save_snapshot(snapshot(2, "m2")).await.unwrap(), "another shape");
    assert_eq!(store.snapshot(&stream("a-1"), "m2").await.unwrap(), Some(snapshot(2, "m2")));
    assert_eq!(store.snapshot(&stream("a-1"), "m1").await.unwrap(), None);
}

async fn a_snapshot_beyond_its_stream_is_not_used(ground: &Ground) {
    let store = ground.open().await;
    store.append(numbered("a-1", 0..5)).await.unwrap();
    store.save_snapshot(snapshot(5, "m1")).await.unwrap();
    // As a restored journal has it whose snapshots are newer than its events.
    ground.run_sql("DELETE FROM events WHERE version > 3");
    assert_eq!(store.snapshot(&stream("a-1"), "m1").await.unwrap(), None);
    assert!(store.save_snapshot(snapshot(3, "m1")).await.unwrap());
    assert_eq!(store.snapshot(&stream("a-1"), "m1").await.unwrap(), Some(snapshot(3, "m1")));
    let other = ground.open().await;
    assert!(other.append(one("b-1", Expected::None)).await.is_ok());
}
