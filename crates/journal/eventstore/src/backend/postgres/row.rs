//! Events as they stand in a row.

use atalaya_postgres::Row;
use uuid::Uuid;

use super::super::unstored;
use crate::{AppendId, Error, Event, EventId, EventType, Position, StreamName};

/// What is read of an event, in the order of [`event`].
pub(super) const COLUMNS: &str = "position, stream, version, type, schema, id, append, correlation, causation, \
                                  recorded_at_us, metadata, data";

/// The event of a row.
pub(super) fn event(row: &Row) -> Result<Event, Error> {
    let position = Position::new(unstored(row.get(0), Position::START)?);
    let damaged = |seen| Error::Damaged { position, seen };
    Ok(Event {
        position,
        stream: StreamName::new(row.get::<_, &str>(1)).map_err(|_| damaged("the stream's name cannot be one"))?,
        version: unstored(row.get(2), position)?,
        event_type: EventType::new(row.get::<_, &str>(3)).map_err(|_| damaged("the type's name cannot be one"))?,
        schema: u32::try_from(row.get::<_, i64>(4)).map_err(|_| damaged("the schema is no number of one"))?,
        id: EventId::from_uuid(row.get::<_, Uuid>(5)),
        append: AppendId::from_uuid(row.get::<_, Uuid>(6)),
        correlation: row.get(7),
        causation: row.get(8),
        recorded_at_us: row.get(9),
        metadata: row.get::<_, &[u8]>(10).to_vec().into(),
        data: row.get::<_, Option<&[u8]>>(11).map(|data| data.to_vec().into()),
    })
}
