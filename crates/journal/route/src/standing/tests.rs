//! Streams as they are, and as nobody should have written them.

use atalaya_damage::damaged;
use atalaya_eventstore::{AppendId, EventId, EventType, Position, StreamName};
use proptest::prelude::*;

use super::*;

fn event(version: u64, event_type: &str, data: &[u8]) -> Event {
    Event {
        position: Position::new(version),
        stream: StreamName::new("route-orders").unwrap(),
        version,
        id: EventId::generate(),
        append: AppendId::generate(),
        event_type: EventType::new(event_type).unwrap(),
        schema: 1,
        data: Some(data.to_vec().into()),
        metadata: Vec::new().into(),
        correlation: None,
        causation: None,
        recorded_at_us: 7,
    }
}

fn stored(version: u64, said: &RouteEvent) -> Event {
    let new = said.to_new().unwrap();
    Event { schema: new.schema, ..event(version, said.type_name(), &new.data) }
}

fn any_group() -> impl Strategy<Value = Vec<Member>> {
    let member = ("[a-c]{1,2}", 0..5_u64, "[a-z]{1,8}", "[a-z]{1,8}")
        .prop_map(|(database, epoch, migration, to)| Member { database, epoch, migration, to });
    proptest::collection::vec(member, 0..3)
}

fn any_event() -> impl Strategy<Value = RouteEvent> {
    let name = "[a-z]{1,8}";
    prop_oneof![
        (0..5_u64, name, name, name, any::<u64>(), any::<bool>(), proptest::option::of((name, 0..5_u64)), any_group())
            .prop_map(|(epoch, migration, from, to, lease_ms, rehearsal, led, with)| RouteEvent::EpochOpened {
                epoch,
                migration,
                from,
                to,
                gates: vec!["gate".to_owned()],
                lease_ms,
                lift: vec!["SELECT 1".to_owned()],
                rehearsal,
                led: led.map(|(to, epoch)| Led { to, epoch }),
                with,
            }),
        (0..5_u64, name, name).prop_map(|(epoch, by, reason)| RouteEvent::EpochClosed { epoch, by, reason }),
        (0..5_u64, name, name).prop_map(|(epoch, to, by)| RouteEvent::Flipped { epoch, to, by }),
        (any::<u64>(), name, name).prop_map(|(epoch, to, by)| RouteEvent::Flipped { epoch, to, by }),
    ]
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes: Vec<u8>, version in any::<u64>(), kind in "Route(EpochOpened|EpochClosed|Flipped)") {
        let events = [event(version, &kind, &bytes)];
        let _standing = standing_of("orders", &events);
        let _opened = opened("orders", &events[0]);
        let _decided = decided("orders", &events[0]);
    }

    /// What is understood of it all the same is read again as it is written then.
    #[test]
    fn damaged_events_are_refused_or_understood_as_what_they_say(
        said in any_event(),
        blown in damaged([r#"{"kind":"flipped","epoch":1,"to":"b","by":"c"}"#]),
        blows in proptest::collection::vec(atalaya_damage::blow(), 1..4),
    ) {
        let new = said.to_new().unwrap();
        let mut data = new.data.to_vec();
        blows.iter().for_each(|blow| blow.strike(&mut data));
        let told = Event { schema: new.schema, ..event(1, said.type_name(), &data) };
        for event in [told, event(2, "RouteFlipped", &blown)] {
            let _read = (standing_of("orders", std::slice::from_ref(&event)), opened("orders", &event));
            if let Some(read) = RouteEvent::read(&event) {
                prop_assert_eq!(RouteEvent::read(&stored(event.version, &read)), Some(read));
            }
        }
    }

    #[test]
    fn what_is_stored_is_read_as_it_was_written(said in any_event()) {
        prop_assert_eq!(RouteEvent::read(&stored(1, &said)), Some(said));
    }

    /// Whatever is understood keeps to the numbers: an epoch that is open is the last one, and an earlier one has led here.
    #[test]
    fn streams_of_any_order_are_understood_or_refused(said in proptest::collection::vec(any_event(), 0..6)) {
        let mut events: Vec<_> =
            said.iter().zip(1..).map(|(said, version)| stored(version, said)).collect();
        events.reverse();
        if let Ok(standing) = standing_of("orders", &events) {
            let version = events.first().map_or(0, |event| event.version);
            prop_assert_eq!(standing.last_epoch, version.div_ceil(2));
            prop_assert_eq!(standing.open.is_some(), version % 2 == 1);
        }
    }
}

#[test]
fn an_event_of_another_shape_is_not_understood() {
    let said = RouteEvent::Flipped { epoch: 1, to: "b".to_owned(), by: "c".to_owned() };
    assert!(decided("orders", &stored(2, &said)).is_ok());
    assert!(matches!(decided("orders", &stored(3, &said)), Err(Error::Unreadable { version: 3, .. })));
    let later = Event { schema: 2, ..stored(2, &said) };
    assert!(matches!(decided("orders", &later), Err(Error::Unreadable { .. })));
    let erased = Event { data: None, ..stored(2, &said) };
    assert!(decided("orders", &erased).is_err());
}

fn opened_with(with: Vec<Member>) -> RouteEvent {
    RouteEvent::EpochOpened {
        epoch: 1,
        migration: "m".to_owned(),
        from: "orders".to_owned(),
        to: "green".to_owned(),
        gates: Vec::new(),
        lease_ms: 1,
        lift: Vec::new(),
        rehearsal: false,
        led: None,
        with,
    }
}

/// Whoever does not know groups reads the first shape only: it must not take one of a group for one that is decided alone.
#[test]
fn one_of_a_group_has_a_shape_of_its_own() {
    let member =
        Member { database: "users".to_owned(), epoch: 3, migration: "n".to_owned(), to: "users-green".to_owned() };
    let said = opened_with(vec![member.clone()]);
    assert_eq!(opened("orders", &stored(1, &said)).unwrap().with, [member]);
    let taken_for_single = Event { schema: 1, ..stored(1, &said) };
    assert!(opened("orders", &taken_for_single).is_err());
    let single = Event { schema: 2, ..stored(1, &opened_with(Vec::new())) };
    assert!(opened("orders", &single).is_err());
}

#[test]
fn a_group_that_no_append_could_decide_is_not_understood() {
    let member = |database: &str, epoch| Member {
        database: database.to_owned(),
        epoch,
        migration: "n".to_owned(),
        to: "elsewhere".to_owned(),
    };
    for with in [
        vec![member("orders", 1)],
        vec![member("users", 0)],
        vec![member("users", u64::MAX)],
        vec![member("users", 1), member("carts", 1), member("users", 2)],
    ] {
        assert!(opened("orders", &stored(1, &opened_with(with.clone()))).is_err(), "{with:?}");
    }
}
