//! Events of older shapes, brought up to date while they are read. What is stored never changes.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::{Error, Event, EventType};

/// Makes the data of one schema into that of the next; the reason of a failure says nothing of the data.
type Step = Arc<dyn Fn(&[u8]) -> Result<Vec<u8>, &'static str> + Send + Sync>;

/// The functions that bring events up to date, by type and schema.
#[derive(Clone, Default)]
pub struct Upcasters {
    steps: HashMap<EventType, HashMap<u32, Step>>,
}

impl Upcasters {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more: events of this type and schema get the next schema, and are looked at again.
    #[must_use]
    pub fn with(
        mut self,
        event_type: EventType,
        schema: u32,
        step: impl Fn(&[u8]) -> Result<Vec<u8>, &'static str> + Send + Sync + 'static,
    ) -> Self {
        self.steps.entry(event_type).or_default().insert(schema, Arc::new(step));
        self
    }

    /// Brings an event up to date; one whose data was erased keeps its schema.
    pub(crate) fn apply(&self, mut event: Event) -> Result<Event, Error> {
        let Some(steps) = self.steps.get(&event.event_type) else { return Ok(event) };
        while let Some(data) = &event.data
            && let Some(step) = steps.get(&event.schema)
            && let Some(next) = event.schema.checked_add(1)
        {
            let made = step(data).map_err(|reason| Error::Upcast {
                position: event.position,
                event_type: event.event_type.clone(),
                schema: event.schema,
                reason,
            })?;
            event.data = Some(Bytes::from(made));
            event.schema = next;
        }
        Ok(event)
    }
}

impl fmt::Debug for Upcasters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = self.steps.iter().map(|(of, steps)| (of.as_str(), steps.keys()));
        formatter.debug_map().entries(steps).finish()
    }
}
