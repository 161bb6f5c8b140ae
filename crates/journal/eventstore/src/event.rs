//! Events before and after they are appended.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Digest, EventType, Position, StreamName};

/// An event's identity, given by its maker: the same event appended twice is known by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(Uuid);

/// The identity of one append, given by its maker: repeating it gives the first answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AppendId(Uuid);

macro_rules! identity {
    ($name:ident) => {
        impl $name {
            /// A new one, unlike any other; later ones sort after earlier ones.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The one that is made of these parts: always the same, and another one for other parts. The first says what it
            /// is for.
            #[must_use]
            pub fn made_of(parts: &[&[u8]]) -> Self {
                Self(Digest::of_parts(parts).to_uuid())
            }

            /// The one with this UUID.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID.
            #[must_use]
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

identity!(EventId);
identity!(AppendId);

/// An event that is to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Its identity.
    pub id: EventId,
    /// What happened.
    pub event_type: EventType,
    /// Which shape `data` has; an upcaster brings older ones up to date when they are read.
    pub schema: u32,
    /// What is to be known of it, JSON by convention. At most [`crate::append::DATA_BYTES_MAX`] bytes.
    pub data: Bytes,
    /// JSON about the event rather than of it: who, from where. Never personal data, since it cannot be erased.
    pub metadata: Bytes,
    /// What belongs together: one request and all that came of it.
    pub correlation: Option<Uuid>,
    /// The event or command that this one comes of.
    pub causation: Option<Uuid>,
}

impl NewEvent {
    /// An event of schema 1 with a new identity and no metadata.
    #[must_use]
    pub fn new(event_type: EventType, data: impl Into<Bytes>) -> Self {
        Self {
            id: EventId::generate(),
            event_type,
            schema: 1,
            data: data.into(),
            metadata: Bytes::new(),
            correlation: None,
            causation: None,
        }
    }
}

/// An event as it stands in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place in the whole journal.
    pub position: Position,
    /// The stream it belongs to.
    pub stream: StreamName,
    /// Its place in that stream, from 1, gapless.
    pub version: u64,
    /// Its identity.
    pub id: EventId,
    /// The append that brought it.
    pub append: AppendId,
    /// What happened.
    pub event_type: EventType,
    /// Which shape `data` has.
    pub schema: u32,
    /// What is to be known of it; none once it was erased.
    pub data: Option<Bytes>,
    /// JSON about the event.
    pub metadata: Bytes,
    /// What belongs together.
    pub correlation: Option<Uuid>,
    /// What it comes of.
    pub causation: Option<Uuid>,
    /// The database's clock when it was appended, in microseconds since 1970 UTC. For people to read; never for order.
    pub recorded_at_us: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored for good; the expected value was computed by other means than this code.
    #[test]
    fn identities_that_are_made_of_parts_are_as_ever() {
        assert_eq!(EventId::made_of(&[b"test", b"ab", b""]).to_string(), "d30c23b7-77fe-844f-bd4f-af190b014958");
        assert_ne!(EventId::made_of(&[b"test", b"a", b"b"]), EventId::made_of(&[b"test", b"ab", b""]));
    }
}
