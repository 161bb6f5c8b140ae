//! Reading every way.

use atalaya_eventstore::{
    Append, Direction, Error, EventType, Expected, Options, Position, Read, Selection, Upcasters,
};

use crate::ground::Ground;
use crate::making::{event_of, numbered, stream};

on_every_backend! {
    a_stream_is_read_forward_backward_and_from_a_version
    a_category_and_types_are_read_in_the_journals_order
    pages_hold_everything_once_whatever_their_size
    a_page_of_large_events_is_cut_and_the_next_one_goes_on
    what_an_event_holds_comes_back
    older_schemas_are_brought_up_to_date_and_a_failure_says_where
}

fn read(selection: Selection, direction: Direction, from: Option<u64>, limit: u32) -> Read {
    Read { selection, direction, from, limit }
}

async fn a_stream_is_read_forward_backward_and_from_a_version(ground: &Ground) {
    let store = ground.open().await;
    for round in 0..3 {
        store.append(numbered("a-1", round * 2..round * 2 + 2)).await.unwrap();
        store.append(numbered("b-1", 0..1)).await.unwrap();
    }
    let of = |direction, from, limit| read(Selection::Stream(stream("a-1")), direction, from, limit);
    let cases = [
        (Direction::Forward, None, 10, vec![1, 2, 3, 4, 5, 6], None),
        (Direction::Forward, Some(3), 2, vec![3, 4], Some(5)),
        (Direction::Backward, None, 2, vec![6, 5], Some(4)),
        (Direction::Backward, Some(2), 10, vec![2, 1], None),
        (Direction::Backward, Some(1), 1, vec![1], None),
        (Direction::Forward, Some(7), 10, vec![], None),
    ];
    for (direction, from, limit, versions, next) in cases {
        let page = store.read(of(direction, from, limit)).await.unwrap();
        assert_eq!(page.events.iter().map(|event| event.version).collect::<Vec<_>>(), versions);
        assert_eq!(page.next, next);
    }
}

async fn a_category_and_types_are_read_in_the_journals_order(ground: &Ground) {
    let store = ground.open().await;
    for (name, of) in [("a-1", "X"), ("b-1", "Y"), ("a-2", "Z"), ("ab-1", "X"), ("a-1", "Y"), ("b-1", "Z")] {
        store.append(Append::to_stream(stream(name), Expected::Any, vec![event_of(of, "{}")])).await.unwrap();
    }
    let types = |names: &[&str]| Selection::Types(names.iter().map(|name| EventType::new(*name).unwrap()).collect());
    let cases = [
        (Selection::Category("a".into()), Direction::Forward, None, vec![1, 3, 5]),
        (Selection::Category("a".into()), Direction::Backward, Some(4), vec![3, 1]),
        (types(&["X", "Z"]), Direction::Forward, None, vec![1, 3, 4, 6]),
        (types(&["Z", "X", "Z"]), Direction::Forward, Some(3), vec![3, 4, 6]),
        (types(&["Y", "Z"]), Direction::Backward, None, vec![6, 5, 3, 2]),
        (types(&[]), Direction::Forward, None, vec![]),
        (Selection::All, Direction::Backward, Some(2), vec![2, 1]),
    ];
    for (selection, direction, from, positions) in cases {
        let found = store.read(read(selection.clone(), direction, from, 10)).await.unwrap().events;
        let found: Vec<u64> = found.iter().map(|event| event.position.number()).collect();
        assert_eq!(found, positions, "{selection:?}");
        let page = store.read(read(selection, direction, from, 2)).await.unwrap();
        let short: Vec<u64> = page.events.iter().map(|event| event.position.number()).collect();
        assert_eq!(short, positions[..positions.len().min(2)]);
    }
}

async fn pages_hold_everything_once_whatever_their_size(ground: &Ground) {
    let store = ground.open().await;
    for round in 0..5 {
        store.append(numbered("a-1", round * 7..round * 7 + 7)).await.unwrap();
    }
    for size in [1, 2, 5, 7, 34, 35, 36] {
        let mut pages = store.pages(Read::all_after(Position::START, size));
        let mut positions = Vec::new();
        while let Some(events) = pages.next().await.unwrap() {
            assert!(events.len() <= size as usize);
            positions.extend(events.iter().map(|event| event.position.number()));
        }
        assert_eq!(positions, (1..=35).collect::<Vec<_>>());
    }
}

async fn a_page_of_large_events_is_cut_and_the_next_one_goes_on(ground: &Ground) {
    let store = ground.open().await;
    let data = "x".repeat(1 << 20);
    for _ in 0..20 {
        let event = event_of("Large", &data);
        store.append(Append::to_stream(stream("a-1"), Expected::Any, vec![event])).await.unwrap();
    }
    for selection in [Selection::All, Selection::Types(vec![EventType::new("Large").unwrap()])] {
        let page = store.read(read(selection.clone(), Direction::Forward, None, 100)).await.unwrap();
        assert!(page.events.len() < 20, "a page of {} MiB", page.events.len());
        let next = page.next.unwrap();
        assert_eq!(next, page.events.len() as u64 + 1);
        let rest = store.read(read(selection, Direction::Forward, Some(next), 100)).await.unwrap();
        assert_eq!(page.events.len() + rest.events.len(), 20);
        assert_eq!(rest.next, None);
    }
}

async fn what_an_event_holds_comes_back(ground: &Ground) {
    let store = ground.open().await;
    let mut event = event_of("Größe 📏", "\u{1F600} \0 {}");
    event.schema = u32::MAX;
    event.metadata = bytes::Bytes::from_static(&[0, 255, 128]);
    event.correlation = Some(uuid::Uuid::now_v7());
    event.causation = Some(uuid::Uuid::now_v7());
    let append = Append::to_stream(stream("straße-ß 1"), Expected::Any, vec![event.clone()]);
    store.append(append.clone()).await.unwrap();
    let found = store.read(Read::all_after(Position::START, 1)).await.unwrap().events.remove(0);
    assert_eq!((found.stream.as_str(), found.version), ("straße-ß 1", 1));
    assert_eq!((found.id, found.append), (event.id, append.id));
    assert_eq!((&found.event_type, found.schema), (&event.event_type, event.schema));
    assert_eq!((found.data.as_ref(), &found.metadata), (Some(&event.data), &event.metadata));
    assert_eq!((found.correlation, found.causation), (event.correlation, event.causation));
    assert!(found.recorded_at_us > 1_700_000_000_000_000);
}

async fn older_schemas_are_brought_up_to_date_and_a_failure_says_where(ground: &Ground) {
    let renamed = EventType::new("Renamed").unwrap();
    let upcasters = Upcasters::new()
        .with(renamed.clone(), 1, |data| if data == b"bad" { Err("no name") } else { Ok([data, b" second"].concat()) })
        .with(renamed, 2, |data| Ok([data, b" third"].concat()));
    let store = ground.open_with(Options { upcasters, ..Options::default() }).await.unwrap();
    let mut second = event_of("Renamed", "b");
    second.schema = 2;
    let events = vec![event_of("Renamed", "a"), second, event_of("Other", "c"), event_of("Renamed", "bad")];
    store.append(Append::to_stream(stream("a-1"), Expected::Any, events)).await.unwrap();
    let page = store.read(Read::all_after(Position::START, 3)).await.unwrap();
    let found: Vec<_> = page.events.iter().map(|event| (event.schema, event.data.clone().unwrap())).collect();
    assert_eq!(found, [(3, "a second third".into()), (3, "b third".into()), (1, "c".into())]);
    match store.read(Read::all_after(Position::START, 4)).await {
        Err(Error::Upcast { position, schema: 1, reason: "no name", .. }) => assert_eq!(position, Position::new(4)),
        other => panic!("{other:?}"),
    }
}
