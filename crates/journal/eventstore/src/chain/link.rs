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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;
    use crate::EventType;

    /// An event with something in every part.
    fn event() -> NewEvent {
        NewEvent {
            id: EventId::from_uuid(Uuid::from_u128(1)),
            event_type: EventType::new("OrderPlaced").unwrap(),
            schema: 2,
            data: Bytes::from_static(b"{\"total\":7}"),
            metadata: Bytes::from_static(b"{}"),
            correlation: Some(Uuid::from_u128(3)),
            causation: None,
        }
    }

    /// These digests stand in journals: a change of the form needs a new domain text, never other bytes under this one.
    #[test]
    fn the_digests_of_an_event_are_as_they_ever_were() {
        let (event, stream) = (event(), StreamName::new("order-1").unwrap());
        let append = AppendId::from_uuid(Uuid::from_u128(2));
        let link = Link::of_new(&event, &stream, append, (Position::new(5), 4), 1_700_000_000_000_001);
        let leaf = link.leaf();
        assert_eq!(link.data_digest.to_string(), "d9cb32508f0bc02642564432579b9d8500addac3f20583c1fcca7b9211498150");
        assert_eq!(leaf.to_string(), "b2ac9b2a0a9d1efe254d6cd7eac6c509bf533bab1f2c46ec0e10e0851a4c52fa");
        assert_eq!(
            Link::chained(&Digest::ZERO, &leaf).to_string(),
            "d8f668ac19f7e7c54d38a5c53a408c8a0c308fcdfd1fe65ab0b04a7545235174"
        );
    }

    #[test]
    fn the_canonical_bytes_have_every_length_before_its_part() {
        let mut canonical = Canonical::new("a");
        canonical.text("bc");
        canonical.number(1);
        canonical.uuid(None);
        let expected = b"\0\0\0\0\0\0\0\x01a\0\0\0\0\0\0\0\x02bc\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0";
        assert_eq!(canonical.as_slice(), expected);
    }
}
