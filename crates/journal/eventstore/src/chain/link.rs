//! One event's place in the chain and in the tree.
//!
//! The leaf covers all that is stored of the event, its data by digest only: erased data leaves every proof as it was.
//! The chain covers the leaf and the link before it.

use super::{Canonical, Digest};
use crate::{AppendId, EventId, NewEvent, Position, StreamName};

/// Leaves and nodes of the tree are told apart by their first byte (RFC 6962, section 2.1); links by another.
const LEAF: u8 = 0;
const LINK: u8 = 2;

/// What the digests of one event are made of.
pub(crate) struct Link<'a> {
    pub(crate) position: Position,
    pub(crate) stream: &'a StreamName,
    pub(crate) version: u64,
    pub(crate) id: EventId,
    pub(crate) append: AppendId,
    pub(crate) event_type: &'a str,
    pub(crate) schema: u32,
    pub(crate) data_digest: Digest,
    pub(crate) metadata: &'a [u8],
    pub(crate) correlation: Option<&'a uuid::Uuid>,
    pub(crate) causation: Option<&'a uuid::Uuid>,
    pub(crate) recorded_at_us: i64,
}

/// The digest by which an event's data is known.
pub(crate) fn data_digest(data: &[u8]) -> Digest {
    let mut canonical = Canonical::new("atalaya data 1");
    canonical.bytes(data);
    canonical.digest()
}

impl<'a> Link<'a> {
    /// The link of an event that is being appended.
    pub(crate) fn of_new(
        event: &'a NewEvent,
        stream: &'a StreamName,
        append: AppendId,
        place: (Position, u64),
        recorded_at_us: i64,
    ) -> Self {
        Self {
            position: place.0,
            stream,
            version: place.1,
            id: event.id,
            append,
            event_type: event.event_type.as_str(),
            schema: event.schema,
            data_digest: data_digest(&event.data),
            metadata: &event.metadata,
            correlation: event.correlation.as_ref(),
            causation: event.causation.as_ref(),
            recorded_at_us,
        }
    }

    /// The event's leaf in the tree.
    pub(crate) fn leaf(&self) -> Digest {
        let mut canonical = Canonical::new("atalaya event 1");
        canonical.number(self.position.number());
        canonical.text(self.stream.as_str());
        canonical.number(self.version);
        canonical.bytes(self.id.as_uuid().as_bytes());
        canonical.bytes(self.append.as_uuid().as_bytes());
        canonical.text(self.event_type);
        canonical.number(u64::from(self.schema));
        canonical.bytes(self.data_digest.as_bytes());
        canonical.bytes(self.metadata);
        canonical.uuid(self.correlation);
        canonical.uuid(self.causation);
        canonical.signed(self.recorded_at_us);
        Digest::of(&[&[LEAF], canonical.as_slice()])
    }

    /// The chain after this event.
    pub(crate) fn chained(before: &Digest, leaf: &Digest) -> Digest {
        Digest::of(&[&[LINK], before.as_bytes(), leaf.as_bytes()])
    }
}
