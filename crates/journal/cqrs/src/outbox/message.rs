//! A message, and the statement that writes it.

use std::fmt;

use atalaya_eventstore::{Event, EventId, Position, Row, Statement, Value};
use serde::de::IgnoredAny;
use uuid::Uuid;

use crate::projection::Poison;

/// What the columns hold.
const NAME_CHARS_MAX: usize = 255;

/// A message about an aggregate.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    id: Uuid,
    aggregate_type: String,
    aggregate_id: String,
    message_type: String,
    payload: String,
    position: Position,
    part: u16,
}

impl Message {
    /// What is to be said of an event, as JSON. Type and id of the aggregate are what stands before and after the first
    /// dash of its stream, the message's type is the event's.
    #[must_use]
    pub fn of(event: &Event, payload: impl Into<String>) -> Self {
        Self {
            id: identity(event.id, 0),
            aggregate_type: event.stream.category().to_owned(),
            aggregate_id: event.stream.id().to_owned(),
            message_type: event.event_type.as_str().to_owned(),
            payload: payload.into(),
            position: event.position,
            part: 0,
        }
    }

    /// The same as another one of several messages of one event: each has a number of its own, in their order. Numbers
    /// are shared by all projections that write into one outbox.
    #[must_use]
    pub fn part(mut self, event: &Event, part: u16) -> Self {
        self.id = identity(event.id, part);
        self.part = part;
        self
    }

    /// The same about another aggregate, whose messages it stays in order with.
    #[must_use]
    pub fn about(mut self, aggregate_type: impl Into<String>, aggregate_id: impl Into<String>) -> Self {
        self.aggregate_type = aggregate_type.into();
        self.aggregate_id = aggregate_id.into();
        self
    }

    /// The same under another type.
    #[must_use]
    pub fn called(mut self, message_type: impl Into<String>) -> Self {
        self.message_type = message_type.into();
        self
    }

    /// Its identity, the same whenever it is made and published again.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The type of the aggregate that it is about.
    #[must_use]
    pub fn aggregate_type(&self) -> &str {
        &self.aggregate_type
    }

    /// Which aggregate of that type.
    #[must_use]
    pub fn aggregate_id(&self) -> &str {
        &self.aggregate_id
    }

    /// What it says happened.
    #[must_use]
    pub fn message_type(&self) -> &str {
        &self.message_type
    }

    /// JSON. Postgres keeps its meaning, not its bytes.
    #[must_use]
    pub fn payload(&self) -> &str {
        &self.payload
    }

    /// The position of the event that it is of.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The statement that writes it, for [`Projection::effects`](crate::projection::Projection::effects).
    ///
    /// # Errors
    /// When a name is empty, longer than 255 characters or holds a control character, or the payload is no JSON.
    pub fn insert(&self) -> Result<Statement, Poison> {
        for name in [&self.aggregate_type, &self.aggregate_id, &self.message_type] {
            if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
                return Err(Poison("a name of the message cannot be one".to_owned()));
            }
        }
        if serde_json::from_str::<IgnoredAny>(&self.payload).is_err() {
            return Err(Poison("the payload of the message is no JSON".to_owned()));
        }
        let number = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        let sql = "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, position, part, bytes)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let values = vec![
            Value::from(self.id.to_string()),
            Value::from(self.aggregate_type.as_str()),
            Value::from(self.aggregate_id.as_str()),
            Value::from(self.message_type.as_str()),
            Value::from(self.payload.as_str()),
            number(self.position.number()),
            number(u64::from(self.part)),
            number(self.payload.len() as u64),
        ];
        Ok(Statement::new(sql, values).touching(1))
    }

    /// From a row of id, aggregatetype, aggregateid, type, payload, position, part.
    pub(super) fn from_row(row: &Row) -> Option<Self> {
        let text = |at: usize| row.get(at).and_then(Value::as_text);
        let number = |at: usize| row.get(at).and_then(Value::as_integer);
        Some(Self {
            id: text(0)?.parse().ok()?,
            aggregate_type: text(1)?.to_owned(),
            aggregate_id: text(2)?.to_owned(),
            message_type: text(3)?.to_owned(),
            payload: text(4)?.to_owned(),
            position: Position::new(u64::try_from(number(5)?).ok()?),
            part: u16::try_from(number(6)?).ok()?,
        })
    }
}

impl fmt::Debug for Message {
    /// Without what it says.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Message")
            .field("id", &self.id)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// The first message of an event has the event's identity; that of a later one is made of it, so that it is the same
/// whenever it is made.
fn identity(event: EventId, part: u16) -> Uuid {
    if part == 0 {
        return *event.as_uuid();
    }
    *EventId::made_of(&[b"atalaya outbox", event.as_uuid().as_bytes(), &part.to_be_bytes()]).as_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_never_change() {
        let event = EventId::from_uuid(Uuid::from_u128(0x018f_3f9e_7d5c_7b1e_9c41_6a3f_9c1d_2e55));
        assert_eq!(identity(event, 0), *event.as_uuid());
        assert_eq!(identity(event, 1).to_string(), "5c0ef5ae-9f4e-8bf0-912e-6d21ba1010f8");
        assert_ne!(identity(event, 1), identity(event, 2));
    }
}
