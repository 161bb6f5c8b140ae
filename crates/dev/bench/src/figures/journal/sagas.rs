//! Sagas of three steps that cost nothing themselves: what is measured is the writing down, and who is driven next.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use atalaya_eventstore::{EventType, Selection, Share, Store, Subscribe};
use atalaya_saga::{Coordinator, Definition, End, Options, Outcome, Phase, SagaId, Sagas, Step, Undone};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::{Place, since};
use crate::error::Error;

/// Started and not ended, and driven at once.
pub(super) const IN_FLIGHT: usize = 64;
const NAME: &str = "order";
const COMPLETED: &str = "SagaCompleted";
/// What a saga that goes another way comes to first.
const OTHERWISE: [&str; 4] = ["SagaStepFailed", "SagaStuck", "SagaCompensated", "SagaAbandoned"];

/// How long all of them took, from the first one's start to the last one's end.
pub(super) async fn measure(place: &Place, count: usize) -> Result<Duration, Error> {
    let store = place.open().await?;
    let asked = Arc::new(AtomicUsize::new(0));
    let options = Options { at_once: IN_FLIGHT, ..Options::default() };
    let sagas = Sagas::new(store.clone(), vec![definition(&asked)?], options).map_err(Error::journal)?;
    let coordinator = Coordinator::open(&sagas).await.map_err(Error::journal)?;
    let (stop, stopped) = watch::channel(false);
    let mut driving = tokio::spawn(coordinator.run(stopped));
    let room = Arc::new(Semaphore::new(IN_FLIGHT));
    let start = Instant::now();
    tokio::select! {
        done = async { tokio::try_join!(all_started(&sagas, count, &room), all_ended(&store, count, &room)) } => done?,
        driven = &mut driving => {
            driven.map_err(Error::journal)?.map_err(Error::journal)?;
            return Err(Error::OtherWork("the coordinator ended before the sagas".to_owned()));
        }
    };
    let took = since(start);
    stop.send_replace(true);
    driving.await.map_err(Error::journal)?.map_err(Error::journal)?;
    for number in 0..count {
        let phase = sagas.show(&id(number)?).await.map_err(Error::journal)?.phase;
        if phase != (Phase::Ended { end: End::Completed }) {
            return Err(Error::OtherWork(format!("saga {number} has not completed")));
        }
    }
    let asked = asked.load(Ordering::Relaxed);
    if asked != count * 3 {
        return Err(Error::OtherWork(format!("{asked} steps were asked for, of {count} sagas")));
    }
    store.close().await;
    Ok(took)
}

fn id(number: usize) -> Result<SagaId, Error> {
    SagaId::new(&format!("order-{number}")).map_err(Error::journal)
}

fn definition(asked: &Arc<AtomicUsize>) -> Result<Definition, Error> {
    let step = |name: &str| {
        let asked = asked.clone();
        let action = move |_context| {
            asked.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Ok(Outcome::Done(Value::Null)))
        };
        Step::new(name, action).undone_by(|_context| std::future::ready(Ok(Undone::Undone)))
    };
    Definition::new(NAME, 1, vec![step("reserve"), step("pay"), step("ship").pivot()]).map_err(Error::journal)
}

/// Starts the next one whenever there is room.
async fn all_started(sagas: &Sagas, count: usize, room: &Semaphore) -> Result<(), Error> {
    let mut starting = JoinSet::new();
    for number in 0..count {
        room.acquire().await.map_err(Error::journal)?.forget();
        let (sagas, id) = (sagas.clone(), id(number)?);
        starting.spawn(async move { sagas.start(NAME, &id, json!({ "order": number })).await });
        while let Some(started) = starting.try_join_next() {
            started.map_err(Error::journal)?.map_err(Error::journal)?;
        }
    }
    while let Some(started) = starting.join_next().await {
        started.map_err(Error::journal)?.map_err(Error::journal)?;
    }
    Ok(())
}

/// Makes room for each one that has ended; an error for one that went otherwise.
async fn all_ended(store: &Store, count: usize, room: &Semaphore) -> Result<(), Error> {
    let types = [COMPLETED].iter().chain(&OTHERWISE).map(|name| EventType::new(*name));
    let types = types.collect::<Result<_, _>>().map_err(Error::journal)?;
    let subscribe = Subscribe {
        name: "bench".to_owned(),
        selection: Selection::Types(types),
        share: Share::WHOLE,
        after: None,
        batch: 1_000,
    };
    let mut subscription = store.subscribe(subscribe).await.map_err(Error::journal)?;
    let mut ended = HashSet::new();
    while ended.len() < count {
        for event in subscription.next().await.map_err(Error::journal)?.events {
            if event.event_type.as_str() != COMPLETED {
                return Err(Error::OtherWork(format!("a saga came to `{}`", event.event_type)));
            }
            if ended.insert(event.stream) {
                room.add_permits(1);
            }
        }
    }
    Ok(())
}
