//! What a service does with its journal, in the plainest form.

use std::time::{Duration, Instant};

use atalaya_eventstore::verify::{Verdict, verify};
use atalaya_eventstore::{Append, EventType, Expected, NewEvent, Position, Read, Store, StreamName};

use super::since;
use crate::error::Error;

/// Events of a page.
pub(super) const PAGE: u32 = 2_000;
/// Streams that events are spread over.
const STREAMS: usize = 1_000;
/// About what an event of a business holds.
pub(super) const DATA: &str = r#"{"customer":"c-48151623","items":[{"sku":"A-1","count":2},{"sku":"B-7","count":1}],"currency":"EUR","total":"149.90","note":"leave it with the neighbours","channel":"web"}"#;

/// The event of a number.
pub(super) fn event() -> Result<NewEvent, Error> {
    Ok(NewEvent::new(EventType::new("OrderPlaced").map_err(Error::journal)?, DATA))
}

pub(super) fn stream(number: usize) -> Result<StreamName, Error> {
    StreamName::new(format!("order-{}", number % STREAMS)).map_err(Error::journal)
}

pub(super) fn append_of(number: usize, events: usize) -> Result<Append, Error> {
    let events = (0..events).map(|_| event()).collect::<Result<_, _>>()?;
    Ok(Append::to_stream(stream(number)?, Expected::Any, events))
}

/// One append after the other.
pub(super) async fn append_in_turn(store: &Store, commits: usize, events: usize) -> Result<Duration, Error> {
    let start = Instant::now();
    for number in 0..commits {
        store.append(append_of(number, events)?).await.map_err(Error::journal)?;
    }
    Ok(since(start))
}

/// As many events as there are to be read.
pub(super) async fn fill(store: &Store, events: usize) -> Result<(), Error> {
    const AT_ONCE: usize = 500;
    for number in 0..events.div_ceil(AT_ONCE) {
        let left = events - number * AT_ONCE;
        store.append(append_of(number, left.min(AT_ONCE))?).await.map_err(Error::journal)?;
    }
    Ok(())
}

/// From the first event to the last.
pub(super) async fn read_all(store: &Store, events: usize) -> Result<Duration, Error> {
    let start = Instant::now();
    let mut pages = store.pages(Read::all_after(Position::START, PAGE));
    let mut seen = 0;
    while let Some(page) = pages.next().await.map_err(Error::journal)? {
        seen += page.len();
    }
    let took = since(start);
    if seen == events { Ok(took) } else { Err(Error::OtherWork(format!("{seen} of {events} events were read"))) }
}

/// From the first event to the last, believing nothing that is stored.
pub(super) async fn verify_all(store: &Store, events: usize) -> Result<Duration, Error> {
    let start = Instant::now();
    let report = verify(store, None).await.map_err(Error::journal)?;
    let took = since(start);
    if report.verdict == Verdict::Intact && report.events == events as u64 {
        Ok(took)
    } else {
        Err(Error::OtherWork(format!("{} of {events} events were verified: {:?}", report.events, report.finding)))
    }
}
