//! Events as they stand in a row.

use rusqlite::Row;
use rusqlite::types::ValueRef;
use uuid::Uuid;

use super::super::unstored;
use super::failure::failed;
use crate::{AppendId, Error, Event, EventId, EventType, Position, StreamName};

/// What is read of an event, in the order of [`event`].
pub(super) const COLUMNS: &str = "position, stream, version, type, schema, id, append, correlation, causation, \
                                  recorded_at_us, metadata, data";

/// The event of a row.
pub(super) fn event(row: &Row<'_>) -> Result<Event, Error> {
    let number = |column| row.get::<_, i64>(column).map_err(failed("reading an event"));
    let position = Position::new(unstored(number(0)?, Position::START)?);
    let damaged = |seen| Error::Damaged { position, seen };
    let value = |column| row.get_ref(column).map_err(failed("reading an event"));
    let text = |column| match value(column)? {
        ValueRef::Text(text) => {
            std::str::from_utf8(text).map(str::to_owned).map_err(|_| damaged("a text is not UTF-8"))
        }
        _ => Err(damaged("a text is missing")),
    };
    let bytes = |column| match value(column)? {
        ValueRef::Blob(bytes) => Ok(Some(bytes)),
        ValueRef::Null => Ok(None),
        _ => Err(damaged("bytes are of another type")),
    };
    let uuid = |column| {
        let bytes: Option<&[u8]> = bytes(column)?;
        bytes.map(|bytes| Uuid::from_slice(bytes).map_err(|_| damaged("an identity has another length"))).transpose()
    };
    let identity = |column| uuid(column)?.ok_or_else(|| damaged("an identity is missing"));
    Ok(Event {
        position,
        stream: StreamName::new(text(1)?).map_err(|_| damaged("the stream's name cannot be one"))?,
        version: unstored(number(2)?, position)?,
        event_type: EventType::new(text(3)?).map_err(|_| damaged("the type's name cannot be one"))?,
        schema: u32::try_from(number(4)?).map_err(|_| damaged("the schema is no number of one"))?,
        id: EventId::from_uuid(identity(5)?),
        append: AppendId::from_uuid(identity(6)?),
        correlation: uuid(7)?,
        causation: uuid(8)?,
        recorded_at_us: number(9)?,
        metadata: bytes(10)?.ok_or_else(|| damaged("the metadata is missing"))?.to_vec().into(),
        data: bytes(11)?.map(|data| data.to_vec().into()),
    })
}
