//! Many writers of single events, and a reader beside them that must see each position in its turn.

use std::time::{Duration, Instant};

use atalaya_eventstore::{Position, Read, Store};

use super::{Place, since, work};
use crate::error::Error;

/// How long the writers took. The reader's store is another one, as in another process.
pub(super) async fn measure(place: &Place, events: usize, writers: usize) -> Result<Duration, Error> {
    let (store, other) = (place.open().await?, place.open().await?);
    let reader = tokio::spawn(async move { read_tightly(&other, events).await });
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..writers {
        let store = store.clone();
        tasks.spawn(async move {
            for number in (writer..events).step_by(writers) {
                store.append(work::append_of(number, 1)?).await.map_err(Error::journal)?;
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(Error::journal)??;
    }
    let took = since(start);
    reader.await.map_err(Error::journal)??;
    Ok(took)
}

async fn read_tightly(store: &Store, events: usize) -> Result<(), Error> {
    let mut seen = Position::START;
    while seen.number() < events as u64 {
        for event in store.read(Read::all_after(seen, work::PAGE)).await.map_err(Error::journal)?.events {
            if event.position != seen.next() {
                return Err(Error::OtherWork(format!("position {} came after {seen}", event.position)));
            }
            seen = event.position;
        }
    }
    Ok(())
}
