//! What is written down of a route. Stored as JSON; names of variants and fields are a format.

use atalaya_eventstore::{Event, EventType, NewEvent};
use serde::{Deserialize, Serialize};

/// What the streams of routes begin with.
pub const STREAM_CATEGORY: &str = "route";
/// The shape of what is stored; another one is not understood.
const SCHEMA: u32 = 1;
/// The shape of an opening that belongs to a group. Who does not know it must not take one of a group for one that is decided
/// alone: closing one stream of it would leave the others open.
const SCHEMA_OF_GROUPS: u32 = 2;

/// One event of a route's stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RouteEvent {
    /// Clients are about to be led elsewhere, or a rehearsal of it begins.
    EpochOpened {
        /// Grows by one each time, from 1.
        epoch: u64,
        /// What it was opened for.
        migration: String,
        /// The estate's name of where clients are.
        from: String,
        /// The estate's name of where they are to be led.
        to: String,
        /// Who has to hold clients: gateways, as they name themselves.
        gates: Vec<String>,
        /// After how many milliseconds a gate closes it.
        lease_ms: u64,
        /// What lets clients in again at `from`: statements, in their order.
        lift: Vec<String>,
        /// It can only be closed.
        rehearsal: bool,
        /// Where an earlier epoch has led clients, and which one; none before the first that did.
        led: Option<Led>,
        /// The epochs of other routes that were opened by the same append and are decided by the same one.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        with: Vec<Member>,
    },
    /// Clients stay where they are; this epoch can never lead them away.
    EpochClosed {
        /// Which one.
        epoch: u64,
        /// Who closed it.
        by: String,
        /// Why.
        reason: String,
    },
    /// Clients are led elsewhere from here on.
    Flipped {
        /// By which epoch.
        epoch: u64,
        /// The estate's name of where to.
        to: String,
        /// Who decided.
        by: String,
    },
}

/// Where clients were led.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Led {
    /// The estate's name of the place.
    pub to: String,
    /// By which epoch.
    pub epoch: u64,
}

/// One epoch of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The route's database.
    pub database: String,
    /// The epoch's number in that route.
    pub epoch: u64,
    /// What it was opened for.
    pub migration: String,
    /// The estate's name of where its clients are to be led.
    pub to: String,
}

impl RouteEvent {
    /// The type that it is stored under.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::EpochOpened { .. } => "RouteEpochOpened",
            Self::EpochClosed { .. } => "RouteEpochClosed",
            Self::Flipped { .. } => "RouteFlipped",
        }
    }

    /// What an event of the journal says of a route, where it says such and this version understands it.
    #[must_use]
    pub fn read(event: &Event) -> Option<Self> {
        if event.stream.category() != STREAM_CATEGORY {
            return None;
        }
        let said: Self = serde_json::from_slice(event.data.as_deref()?).ok()?;
        (said.schema() == event.schema && said.type_name() == event.event_type.as_str()).then_some(said)
    }

    /// Every shape but the newest is written as ever, so that older versions read what is no group's.
    fn schema(&self) -> u32 {
        match self {
            Self::EpochOpened { with, .. } if !with.is_empty() => SCHEMA_OF_GROUPS,
            _ => SCHEMA,
        }
    }

    /// As it is appended; none where it cannot be written, which no event that is checked before can be.
    pub(crate) fn to_new(&self) -> Option<NewEvent> {
        let data = serde_json::to_vec(self).ok()?;
        Some(NewEvent { schema: self.schema(), ..NewEvent::new(EventType::new(self.type_name()).ok()?, data) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored for good.
    #[test]
    fn events_are_stored_as_ever() {
        let golden = [
            (
                r#"{"kind":"epoch_opened","epoch":2,"migration":"m","from":"a","to":"b","gates":["g"],"lease_ms":2000,"lift":["GRANT"],"rehearsal":false,"led":{"to":"a","epoch":1}}"#,
                RouteEvent::EpochOpened {
                    epoch: 2,
                    migration: "m".to_owned(),
                    from: "a".to_owned(),
                    to: "b".to_owned(),
                    gates: vec!["g".to_owned()],
                    lease_ms: 2000,
                    lift: vec!["GRANT".to_owned()],
                    rehearsal: false,
                    led: Some(Led { to: "a".to_owned(), epoch: 1 }),
                    with: Vec::new(),
                },
            ),
            (
                r#"{"kind":"epoch_opened","epoch":1,"migration":"m","from":"a","to":"b","gates":[],"lease_ms":1,"lift":[],"rehearsal":true,"led":null,"with":[{"database":"c","epoch":3,"migration":"n","to":"d"}]}"#,
                RouteEvent::EpochOpened {
                    epoch: 1,
                    migration: "m".to_owned(),
                    from: "a".to_owned(),
                    to: "b".to_owned(),
                    gates: Vec::new(),
                    lease_ms: 1,
                    lift: Vec::new(),
                    rehearsal: true,
                    led: None,
                    with: vec![Member {
                        database: "c".to_owned(),
                        epoch: 3,
                        migration: "n".to_owned(),
                        to: "d".to_owned(),
                    }],
                },
            ),
            (
                r#"{"kind":"epoch_closed","epoch":2,"by":"g","reason":"late"}"#,
                RouteEvent::EpochClosed { epoch: 2, by: "g".to_owned(), reason: "late".to_owned() },
            ),
            (
                r#"{"kind":"flipped","epoch":2,"to":"b","by":"c"}"#,
                RouteEvent::Flipped { epoch: 2, to: "b".to_owned(), by: "c".to_owned() },
            ),
        ];
        for (text, event) in golden {
            assert_eq!(serde_json::to_string(&event).unwrap(), text);
            assert_eq!(serde_json::from_str::<RouteEvent>(text).unwrap(), event);
            let schema = if text.contains("with") { 2 } else { 1 };
            assert_eq!(event.to_new().unwrap().schema, schema, "{text}");
        }
    }
}
