//! Personal values on their way into an event, out of it, into a projection's row, and past an erasure.

use serde::{Deserialize, Serialize};

use super::*;
use crate::erase::keys::tests::Lab;
use crate::{AppendId, EventType, Position, StreamName};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Transferred {
    amount: u64,
    from: Personal<String>,
    to: Vec<Personal<Account>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Account {
    iban: String,
    note: Option<String>,
}

fn account(iban: &str) -> Account {
    Account { iban: iban.into(), note: None }
}

/// Of two people.
fn transferred() -> NewEvent {
    let fact = Transferred {
        amount: 7,
        from: Personal::new("person-eve", "Eve of \"E\"".into()),
        to: vec![
            Personal::new("person-adam", account("iban-of-adam")),
            Personal::new("person-eve", account("iban-of-eve")),
        ],
    };
    NewEvent::new(EventType::new("Transferred").unwrap(), serde_json::to_vec(&fact).unwrap())
}

fn stored(new: NewEvent) -> Event {
    Event {
        position: Position::new(1),
        stream: StreamName::new("transfer-1").unwrap(),
        version: 1,
        id: new.id,
        append: AppendId::generate(),
        event_type: new.event_type,
        schema: new.schema,
        data: Some(new.data),
        metadata: new.metadata,
        correlation: None,
        causation: None,
        recorded_at_us: 0,
    }
}

fn read(sealer: &Sealer, event: &Event) -> Transferred {
    serde_json::from_slice(&sealer.open(event).unwrap().unwrap()).unwrap()
}

#[test]
fn an_erased_person_is_gone_from_an_event_and_the_other_one_stays() {
    let lab = Lab::new();
    let keys = Arc::new(lab.open());
    let sealer = Sealer::new(keys.clone());
    let event = stored(sealer.seal(transferred()).unwrap());
    let data = String::from_utf8(event.data.clone().unwrap().to_vec()).unwrap();
    assert!(
        !data.contains("Eve of")
            && !data.contains("iban-of-adam")
            && !data.contains("person-eve")
            && !data.contains("person-adam")
    );

    let fact = read(&sealer, &event);
    assert_eq!(fact.amount, 7);
    assert_eq!(fact.from.value().unwrap(), "Eve of \"E\"");
    assert_eq!(fact.to[0].value(), Some(&account("iban-of-adam")));
    assert_eq!(fact.to[1].field().unwrap().field(), "/to/1");
    assert_eq!(fact.from.field().unwrap().event(), event.id);

    assert!(keys.drop_keys_of("person-eve").unwrap());
    let fact = read(&sealer, &event);
    assert!(fact.from.is_erased() && fact.to[1].is_erased());
    assert_eq!(fact.from.value(), None);
    assert_eq!(fact.to[0].value(), Some(&account("iban-of-adam")));
}

#[test]
fn what_was_opened_is_written_sealed_again_and_a_projection_opens_it_when_it_is_read() {
    let lab = Lab::new();
    let keys = Arc::new(lab.open());
    let sealer = Sealer::new(keys.clone());
    let event = stored(sealer.seal(transferred()).unwrap());

    // A state made of opened events, as a snapshot stores it.
    let snapshot = serde_json::to_string(&read(&sealer, &event)).unwrap();
    assert!(!snapshot.contains("Eve of"));
    let state: Transferred = serde_json::from_slice(&sealer.open_data(snapshot.as_bytes()).unwrap()).unwrap();
    assert_eq!(state, read(&sealer, &event));

    // A projection that never opens anything keeps the column as it is.
    let fact: Transferred = serde_json::from_slice(event.data.as_ref().unwrap()).unwrap();
    assert_eq!(fact.from.value(), None);
    let column = serde_json::to_string(&fact.from).unwrap();
    let row: Personal<String> = serde_json::from_str(&column).unwrap();
    assert_eq!(sealer.open_one(row.clone()).unwrap().value().unwrap(), "Eve of \"E\"");
    assert!(matches!(
        sealer.open_one(serde_json::from_str::<Personal<u8>>(&column).unwrap()),
        Err(ErasureError::Data { .. })
    ));
    keys.drop_keys_of("person-eve").unwrap();
    let erased = sealer.open_one(row).unwrap();
    assert!(erased.is_erased());
    assert_eq!(serde_json::to_string(&erased).unwrap(), column);
}

#[test]
fn a_field_that_one_event_carries_on_from_another_goes_with_its_person() {
    let lab = Lab::new();
    let keys = Arc::new(lab.open());
    let sealer = Sealer::new(keys.clone());
    let first = stored(sealer.seal(transferred()).unwrap());
    let carried = serde_json::to_vec(&read(&sealer, &first)).unwrap();
    let second = sealer.seal(NewEvent::new(EventType::new("Confirmed").unwrap(), carried)).unwrap();
    let second = stored(second);
    assert_eq!(read(&sealer, &second).from.value().unwrap(), "Eve of \"E\"");
    keys.drop_keys_of("person-eve").unwrap();
    assert!(read(&sealer, &second).from.is_erased());
}

#[test]
fn what_is_not_to_be_logged_is_not_in_the_debug_text() {
    let value = Personal::new("person-eve", "Eve of E".to_owned());
    assert_eq!(format!("{value:?}"), "Personal(new)");
}

#[test]
fn fields_that_were_changed_or_are_none_are_errors() {
    let lab = Lab::new();
    let sealer = Sealer::new(Arc::new(lab.open()));
    let event = stored(sealer.seal(transferred()).unwrap());
    let data = String::from_utf8(event.data.clone().unwrap().to_vec()).unwrap();
    let moved = Event { data: Some(data.replace("/from", "/form").into()), ..event.clone() };
    assert!(matches!(sealer.open(&moved), Err(ErasureError::Changed { .. })));
    let none = Event { data: Some(r#"{"a":{"$sealed":{}}}"#.into()), ..event.clone() };
    assert!(matches!(sealer.open(&none), Err(ErasureError::Data { .. })));
    let nobody = NewEvent::new(EventType::new("A").unwrap(), r#"{"$personal":{"subject":"","value":1}}"#);
    assert!(matches!(sealer.seal(nobody), Err(ErasureError::Subject { .. })));
    assert_eq!(sealer.open(&Event { data: None, ..event }).unwrap(), None);
}
