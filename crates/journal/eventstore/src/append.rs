//! What is asked of the journal when events are appended, and its answer.

use crate::chain::{Canonical, Digest};
use crate::erase::holds_unsealed;
use crate::{AppendId, Error, NewEvent, Position, StreamName};

/// The most bytes of one event's data, and of its metadata.
pub const DATA_BYTES_MAX: usize = 1 << 20;
/// The most bytes of one append.
pub const APPEND_BYTES_MAX: usize = 8 << 20;
/// The most events of one append, and the most guards.
pub const APPEND_EVENTS_MAX: usize = 4096;

/// What a stream must be like for an append to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is.
    Any,
    /// It has no event yet.
    None,
    /// It has at least one.
    Exists,
    /// Its last event has this version; 0 is the same as [`Expected::None`].
    Exact(u64),
}

impl Expected {
    /// Whether a stream with so many events will do.
    #[must_use]
    pub fn admits(self, version: u64) -> bool {
        match self {
            Self::Any => true,
            Self::None => version == 0,
            Self::Exists => version > 0,
            Self::Exact(expected) => version == expected,
        }
    }
}

/// A stream that is not written but must be as expected when the append happens: a lease, for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The stream.
    pub stream: StreamName,
    /// What it must be like.
    pub expected: Expected,
}

/// Events for one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamAppend {
    /// The stream.
    pub stream: StreamName,
    /// What it must be like before.
    pub expected: Expected,
    /// At least one.
    pub events: Vec<NewEvent>,
}

/// Events for one stream or several, all of them or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Its identity.
    pub id: AppendId,
    /// What is written; no stream twice.
    pub streams: Vec<StreamAppend>,
    /// What must hold besides.
    pub guards: Vec<Guard>,
}

/// What became of an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The first event's position.
    pub first: Position,
    /// The last one's; what lies between belongs to this append alone.
    pub last: Position,
    /// The version of each stream after it, in the order of the append.
    pub versions: Vec<(StreamName, u64)>,
    /// Whether it had happened before, and this is the first answer once more.
    pub repeated: bool,
}

impl Append {
    /// Events for one stream under a new identity.
    #[must_use]
    pub fn to_stream(stream: StreamName, expected: Expected, events: Vec<NewEvent>) -> Self {
        Self { id: AppendId::generate(), streams: vec![StreamAppend { stream, expected, events }], guards: Vec::new() }
    }

    /// The same append with another condition.
    #[must_use]
    pub fn guarded_by(mut self, stream: StreamName, expected: Expected) -> Self {
        self.guards.push(Guard { stream, expected });
        self
    }

    /// Its events.
    pub(crate) fn events(&self) -> impl Iterator<Item = &NewEvent> {
        self.streams.iter().flat_map(|of| &of.events)
    }

    /// Every stream that it speaks of.
    pub(crate) fn names(&self) -> impl Iterator<Item = &StreamName> {
        self.streams.iter().map(|of| &of.stream).chain(self.guards.iter().map(|guard| &guard.stream))
    }

    /// The bytes that it brings.
    pub(crate) fn bytes(&self) -> usize {
        self.events().map(|event| event.data.len() + event.metadata.len()).sum()
    }

    /// Refuses what no journal could take.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let refuse = |reason| Err(Error::Unappendable { reason });
        if self.streams.is_empty() || self.streams.iter().any(|of| of.events.is_empty()) {
            return refuse("it holds no event for one of its streams");
        }
        if self.events().count() > APPEND_EVENTS_MAX || self.guards.len() > APPEND_EVENTS_MAX {
            return refuse("it holds more events or guards than one append may");
        }
        if self.events().any(|event| event.data.len() > DATA_BYTES_MAX || event.metadata.len() > DATA_BYTES_MAX) {
            return refuse("the data of one event is larger than 1 MiB");
        }
        if self.events().any(|event| holds_unsealed(&event.data)) {
            return refuse("it holds personal data that was not sealed");
        }
        if self.bytes() > APPEND_BYTES_MAX {
            return refuse("it is larger than 8 MiB");
        }
        let mut seen = std::collections::HashSet::new();
        if !self.streams.iter().all(|of| seen.insert(&of.stream)) {
            return refuse("it names a stream twice");
        }
        let mut ids = std::collections::HashSet::new();
        if !self.events().all(|event| ids.insert(event.id)) {
            return refuse("two of its events have the same identity");
        }
        Ok(())
    }

    /// What distinguishes its body from another one under the same identity.
    pub(crate) fn digest(&self) -> Digest {
        let mut canonical = Canonical::new("atalaya append 1");
        canonical.count(self.streams.len());
        for of in &self.streams {
            canonical.text(of.stream.as_str());
            expected(&mut canonical, of.expected);
            canonical.count(of.events.len());
            for event in &of.events {
                canonical.bytes(event.id.as_uuid().as_bytes());
                canonical.text(event.event_type.as_str());
                canonical.number(u64::from(event.schema));
                canonical.bytes(&event.data);
                canonical.bytes(&event.metadata);
                canonical.uuid(event.correlation.as_ref());
                canonical.uuid(event.causation.as_ref());
            }
        }
        canonical.count(self.guards.len());
        for guard in &self.guards {
            canonical.text(guard.stream.as_str());
            expected(&mut canonical, guard.expected);
        }
        canonical.digest()
    }
}

fn expected(canonical: &mut Canonical, expected: Expected) {
    let (kind, version) = match expected {
        Expected::Any => (0, 0),
        Expected::None => (1, 0),
        Expected::Exists => (2, 0),
        Expected::Exact(version) => (3, version),
    };
    canonical.number(kind);
    canonical.number(version);
}
