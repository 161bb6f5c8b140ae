//! Somebody who writes a whole journal anew: events, digests, chain, head. Written from the documented form, not with the
//! store's own code, so that the form is held by two.

use std::fmt::Write;

use atalaya_eventstore::{Digest, Event, Frontier, Position, Read, Store};

use crate::ground::Ground;

/// Every event.
pub(super) async fn events(store: &Store) -> Vec<Event> {
    store.read(Read::all_after(Position::START, 1000)).await.unwrap().events
}

fn part(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_be_bytes()[..], bytes].concat()
}

fn number(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

fn data_digest(data: &[u8]) -> Digest {
    Digest::of(&[&part(b"atalaya data 1"), &part(data)])
}

fn leaf(event: &Event) -> Digest {
    let uuid = |uuid: Option<&uuid::Uuid>| part(uuid.map_or(&[], |uuid| uuid.as_bytes()));
    let canonical = [
        part(b"atalaya event 1"),
        number(event.position.number()),
        part(event.stream.as_str().as_bytes()),
        number(event.version),
        part(event.id.as_uuid().as_bytes()),
        part(event.append.as_uuid().as_bytes()),
        part(event.event_type.as_str().as_bytes()),
        number(event.schema.into()),
        part(data_digest(event.data.as_ref().unwrap()).as_bytes()),
        part(&event.metadata),
        uuid(event.correlation.as_ref()),
        uuid(event.causation.as_ref()),
        event.recorded_at_us.to_be_bytes().to_vec(),
    ]
    .concat();
    Digest::of(&[&[0], &canonical])
}

/// Writes a journal of under 256 events in the place of the one that is there; appends stay as they are where their
/// events do.
pub(super) fn rewrite(ground: &Ground, events: &[Event]) {
    let blob = |bytes: &[u8]| ground.blob(bytes);
    let mut sql = String::from("DELETE FROM events; DELETE FROM appends; ");
    let (mut chain, mut frontier) = (Digest::ZERO, Frontier::empty());
    for event in events {
        let leaf = leaf(event);
        chain = Digest::of(&[&[2], chain.as_bytes(), leaf.as_bytes()]);
        frontier.push(leaf);
        let data = event.data.as_ref().unwrap();
        write!(
            sql,
            "INSERT INTO events (position, stream, version, category, type, schema, id, append, recorded_at_us, metadata,
                                 data_digest, leaf, chain, data)
             VALUES ({}, '{}', {}, '{}', '{}', {}, {}, {}, {}, {}, {}, {}, {}, {}); ",
            event.position,
            event.stream,
            event.version,
            event.stream.category(),
            event.event_type,
            event.schema,
            ground.uuid(event.id.as_uuid()),
            ground.uuid(event.append.as_uuid()),
            event.recorded_at_us,
            blob(&event.metadata),
            blob(data_digest(data).as_bytes()),
            blob(leaf.as_bytes()),
            blob(chain.as_bytes()),
            blob(data),
        )
        .unwrap();
    }
    for run in events.chunk_by(|one, next| one.append == next.append) {
        let (id, first, last) = (ground.uuid(run[0].append.as_uuid()), run[0].position, run[run.len() - 1].position);
        write!(
            sql,
            "INSERT INTO appends (id, body, first_position, last_position) VALUES ({id}, {}, {first}, {last}); ",
            blob(&[0; 32])
        )
        .unwrap();
    }
    let (chain, frontier) = (blob(chain.as_bytes()), blob(&frontier.to_bytes()));
    write!(sql, "UPDATE head SET position = {}, chain = {chain}, frontier = {frontier};", events.len()).unwrap();
    ground.run_sql(&sql);
}

/// The events with another one before a position, all after it moved on.
pub(super) fn with_one_before(events: &[Event], position: u64) -> Vec<Event> {
    let at = usize::try_from(position - 1).unwrap();
    let mut forged = events[at].clone();
    forged.id = atalaya_eventstore::EventId::generate();
    forged.data = Some("\"forged\"".into());
    let mut all = [&events[..at], &[forged], &events[at..]].concat();
    let stream = all[at].stream.clone();
    for (number, event) in all.iter_mut().enumerate().skip(at + 1) {
        event.position = Position::new(number as u64 + 1);
        event.version += u64::from(event.stream == stream);
    }
    all
}
