//! Events and appends for tests.

use atalaya_eventstore::{Append, EventType, Expected, NewEvent, Position, Read, Store, StreamName};

pub(crate) fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

pub(crate) fn event(data: &str) -> NewEvent {
    event_of("Happened", data)
}

pub(crate) fn event_of(event_type: &str, data: &str) -> NewEvent {
    NewEvent::new(EventType::new(event_type).unwrap(), data.to_owned())
}

/// One event for a stream.
pub(crate) fn one(name: &str, expected: Expected) -> Append {
    Append::to_stream(stream(name), expected, vec![event("{}")])
}

/// Several, with their numbers as data.
pub(crate) fn numbered(name: &str, numbers: std::ops::Range<u32>) -> Append {
    Append::to_stream(stream(name), Expected::Any, numbers.map(|number| event(&number.to_string())).collect())
}

/// Every event's stream, version and data in the journal's order; fails where a position is missing.
pub(crate) async fn all(store: &Store) -> Vec<(String, u64, String)> {
    let mut pages = store.pages(Read::all_after(Position::START, 100));
    let (mut found, mut expected) = (Vec::new(), 1);
    while let Some(events) = pages.next().await.unwrap() {
        for event in events {
            assert_eq!(event.position.number(), expected, "a position is missing");
            expected += 1;
            let data = String::from_utf8(event.data.unwrap().to_vec()).unwrap();
            found.push((event.stream.to_string(), event.version, data));
        }
    }
    assert_eq!(store.head().await.unwrap().number(), expected - 1, "the head is elsewhere");
    found
}
