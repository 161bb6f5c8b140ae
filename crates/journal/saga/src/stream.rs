//! A saga's stream: reading it to a state, and adding to it on top of the version that was read.

use crate::event::SagaEvent;
use crate::state::State;
use crate::{Error, SagaId};
use atalaya_eventstore::{
    Append, AppendId, Conflict, EventId, EventType, Expected, NewEvent, Read, Store, StreamAppend,
};

/// The most bytes of one event of a saga.
pub(crate) const EVENT_BYTES_MAX: usize = 64 << 10;
const PAGE: u32 = 1000;

/// A saga as it stood when it was read.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) state: State,
    /// The version of the stream's last event.
    pub(crate) version: u64,
}

/// How an addition went.
pub(crate) enum Added {
    /// It stands.
    At(u64),
    /// Somebody else has written to the stream; nothing was added.
    Moved,
}

/// Reads a saga.
pub(crate) async fn load(store: &Store, id: &SagaId) -> Result<Loaded, Error> {
    let mut loaded: Option<Loaded> = None;
    let mut pages = store.pages(Read::stream_from(id.stream().clone(), 1, PAGE));
    while let Some(events) = pages.next().await? {
        for event in events {
            let unreadable = || Error::Unreadable { id: id.clone(), version: event.version };
            let data = event.data.as_deref().ok_or_else(unreadable)?;
            let saga_event: SagaEvent = serde_json::from_slice(data).map_err(|_| unreadable())?;
            match &mut loaded {
                None => {
                    let state = State::begin(saga_event, event.recorded_at_us).ok_or_else(unreadable)?;
                    loaded = Some(Loaded { state, version: event.version });
                }
                Some(loaded) => {
                    loaded.state.apply(saga_event, event.recorded_at_us);
                    loaded.version = event.version;
                }
            }
        }
    }
    loaded.ok_or_else(|| Error::UnknownSaga { id: id.clone() })
}

/// Adds events on top of a version.
pub(crate) async fn add(store: &Store, id: &SagaId, version: u64, events: &[SagaEvent]) -> Result<Added, Error> {
    let events = events.iter().map(|event| stored(event, EventId::generate())).collect::<Result<Vec<_>, _>>()?;
    let append = Append::to_stream(id.stream().clone(), Expected::Exact(version), events);
    match store.append(append).await {
        Ok(appended) => Ok(Added::At(appended.versions.first().map_or(version, |(_, version)| *version))),
        Err(atalaya_eventstore::Error::Conflict(Conflict::Version { .. })) => Ok(Added::Moved),
        Err(error) => Err(error.into()),
    }
}

/// Adds one event that is known by what it is about: adding it again changes nothing. False where it was there.
pub(crate) async fn add_known(
    store: &Store,
    id: &SagaId,
    expected: Expected,
    known_by: &[&str],
    event: &SagaEvent,
) -> Result<bool, atalaya_eventstore::Error> {
    let parts: Vec<&[u8]> = [id.stream().as_str()].iter().chain(known_by).map(|part| part.as_bytes()).collect();
    let event = stored(event, EventId::made_of(&parts))
        .map_err(|_| atalaya_eventstore::Error::Unappendable { reason: "an event of a saga is larger than 64 KiB" })?;
    let append = Append {
        id: AppendId::made_of(&parts),
        streams: vec![StreamAppend { stream: id.stream().clone(), expected, events: vec![event] }],
        guards: Vec::new(),
    };
    Ok(!store.append(append).await?.repeated)
}

fn stored(event: &SagaEvent, id: EventId) -> Result<NewEvent, Error> {
    let too_large = || Error::TooLarge { limit: EVENT_BYTES_MAX };
    let data = serde_json::to_vec(event).map_err(|_| too_large())?;
    if data.len() > EVENT_BYTES_MAX {
        return Err(too_large());
    }
    let event_type = EventType::new(event.type_name()).map_err(|_| too_large())?;
    Ok(NewEvent { id, ..NewEvent::new(event_type, data) })
}
