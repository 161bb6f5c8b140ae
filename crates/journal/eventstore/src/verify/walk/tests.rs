//! A walk over a small journal in memory, with anything in it changed.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::commit::{Known, plan};
use crate::{Append, EventType, Expected, NewEvent, StreamName};

/// A journal of 12 events in 3 streams, by appends of 1, 2 and 3 events.
fn journal() -> (Vec<Stored>, Head) {
    let event = |number: usize| NewEvent {
        metadata: Bytes::from(format!("{{\"n\":{number}}}")),
        correlation: Some(Uuid::from_u128(9)),
        ..NewEvent::new(EventType::new("Happened").unwrap(), number.to_string())
    };
    let appends: Vec<Append> = [1, 2, 3, 1, 2, 3]
        .into_iter()
        .enumerate()
        .map(|(number, count)| {
            let stream = StreamName::new(format!("order-{}", number % 3)).unwrap();
            Append::to_stream(stream, Expected::Any, (0..count).map(|one| event(number * 10 + one)).collect())
        })
        .collect();
    let head = Head { position: Position::START, chain: Digest::ZERO, frontier: Frontier::empty() };
    let (versions, appended, taken) = (HashMap::new(), HashMap::new(), HashSet::new());
    let planned = plan(Known { head, now_us: 7, versions, appends: appended, taken }, &appends);
    let made: HashMap<AppendId, Made> = planned
        .appends
        .iter()
        .map(|(id, stored)| (*id, Made { first: stored.answer.first, last: stored.answer.last }))
        .collect();
    let rows = planned.rows.iter().map(|row| Stored {
        event: Event {
            position: row.position,
            stream: row.stream.clone(),
            version: row.version,
            id: row.event.id,
            append: row.append,
            event_type: row.event.event_type.clone(),
            schema: row.event.schema,
            data: Some(row.event.data.clone()),
            metadata: row.event.metadata.clone(),
            correlation: row.event.correlation,
            causation: row.event.causation,
            recorded_at_us: row.recorded_at_us,
        },
        category: row.stream.category().to_owned(),
        data_digest: row.data_digest,
        leaf: row.leaf,
        chain: row.chain,
        made: made.get(&row.append).copied(),
    });
    (rows.collect(), planned.head.clone())
}

fn walk(rows: &[Stored], head: &Head) -> Result<Walk, Finding> {
    let mut walk = Walk::new();
    rows.iter().try_for_each(|row| walk.step(row))?;
    walk.end(head)?;
    Ok(walk)
}

fn at(result: Result<Walk, Finding>) -> (u64, Option<u64>, Kind) {
    let finding = result.unwrap_err();
    (finding.position.number(), finding.up_to.map(Position::number), finding.kind)
}

#[test]
fn a_journal_that_nobody_touched_is_well() {
    let (mut rows, head) = journal();
    let whole = walk(&rows, &head).unwrap();
    assert_eq!((whole.streams(), whole.appends, whole.data_erased), (3, 6, 0));
    rows[4].event.data = None;
    assert_eq!(walk(&rows, &head).unwrap().data_erased, 1);
}

#[test]
fn removed_repeated_and_exchanged_events_are_found_where_they_are() {
    let (rows, head) = journal();
    let mut removed = rows.clone();
    removed.remove(4);
    assert_eq!(at(walk(&removed, &head)), (5, None, Kind::Missing));
    assert_eq!(at(walk(&rows[..9], &head)), (10, None, Kind::Missing));
    let mut repeated = rows.clone();
    repeated.insert(5, rows[4].clone());
    assert_eq!(at(walk(&repeated, &head)), (5, None, Kind::Inserted));
    let mut exchanged = rows.clone();
    exchanged.swap(3, 7);
    exchanged[3].event.position = Position::new(4);
    exchanged[7].event.position = Position::new(8);
    assert_eq!(at(walk(&exchanged, &head)), (4, None, Kind::EventChanged));
}

#[test]
fn an_event_that_was_made_anew_with_its_own_digests_is_found_by_the_next_link() {
    let (mut rows, head) = journal();
    let mut only_link = rows.clone();
    only_link[5].chain = Digest::ZERO;
    assert_eq!(at(walk(&only_link, &head)), (6, None, Kind::Unchained));
    remake(&mut rows[5]);
    let before = rows[4].chain;
    rows[5].chain = Link::chained(&before, &rows[5].leaf);
    assert_eq!(at(walk(&rows, &head)), (6, Some(7), Kind::Unchained));
    // The last one has only the head behind it.
    let (mut rows, head) = journal();
    remake(&mut rows[11]);
    let before = rows[10].chain;
    rows[11].chain = Link::chained(&before, &rows[11].leaf);
    assert_eq!(at(walk(&rows, &head)), (12, None, Kind::Head));
}

/// Other data, with the digests that go with it.
fn remake(row: &mut Stored) {
    row.event.data = Some(Bytes::from_static(b"forged"));
    row.data_digest = data_digest(b"forged");
    let event = row.event.clone();
    let new = NewEvent {
        id: event.id,
        event_type: event.event_type,
        schema: event.schema,
        data: Bytes::from_static(b"forged"),
        metadata: event.metadata,
        correlation: event.correlation,
        causation: event.causation,
    };
    let place = (event.position, event.version);
    row.leaf = Link::of_new(&new, &event.stream, event.append, place, event.recorded_at_us).leaf();
}

#[test]
fn what_is_stored_of_appends_must_be_what_they_brought() {
    let (rows, head) = journal();
    // The append of the positions 4 to 6.
    let changed = |change: &dyn Fn(&mut Stored)| {
        let mut rows = rows.clone();
        rows[3..6].iter_mut().for_each(change);
        at(walk(&rows, &head))
    };
    let made = |first, last| Some(Made { first: Position::new(first), last: Position::new(last) });
    assert_eq!(changed(&|row| row.made = None), (4, None, Kind::Append));
    assert_eq!(changed(&|row| row.made = made(3, 6)), (4, None, Kind::Append));
    assert_eq!(changed(&|row| row.made = made(4, 5)), (6, None, Kind::Append));
    assert_eq!(changed(&|row| row.made = made(4, 7)), (7, None, Kind::Append));
    let mut last = rows.clone();
    last[9..].iter_mut().for_each(|row| row.made = made(10, 13));
    assert_eq!(at(walk(&last, &head)), (12, None, Kind::Append));
}

#[test]
fn a_head_that_is_not_what_the_events_come_to_is_found() {
    let (rows, head) = journal();
    let other = Head { chain: Digest::ZERO, ..head.clone() };
    assert_eq!(at(walk(&rows, &other)), (12, None, Kind::Head));
    let mut frontier = head.frontier.clone();
    frontier.push(Digest::ZERO);
    assert_eq!(at(walk(&rows, &Head { frontier, ..head })), (12, None, Kind::Head));
}

proptest! {
    #[test]
    fn whatever_is_changed_in_one_row_is_found_in_it(row in 0_usize..12, part in 0_u8..15, by in 1_u8..255) {
        let (mut rows, head) = journal();
        let stored = &mut rows[row];
        let event = &mut stored.event;
        let digest = |digest: Digest| Digest::from_bytes(digest.as_bytes().map(|byte| byte ^ by));
        match part {
            0 => event.stream = StreamName::new(format!("order-x{by}")).unwrap(),
            1 => event.version += u64::from(by),
            2 => event.id = crate::EventId::generate(),
            3 => event.append = AppendId::generate(),
            4 => event.event_type = EventType::new(format!("Happened{by}")).unwrap(),
            5 => event.schema += u32::from(by),
            6 => event.data = Some(Bytes::from(vec![by])),
            7 => event.metadata = Bytes::from(vec![by]),
            8 => event.correlation = None,
            9 => event.causation = Some(Uuid::from_u128(u128::from(by))),
            10 => event.recorded_at_us += i64::from(by),
            11 => stored.category = format!("order{by}"),
            12 => stored.data_digest = digest(stored.data_digest),
            13 => stored.leaf = digest(stored.leaf),
            _ => stored.chain = digest(stored.chain),
        }
        let found = walk(&rows, &head).unwrap_err();
        prop_assert_eq!(found.position.number(), row as u64 + 1);
        prop_assert_eq!(found.up_to, None);
    }
}
