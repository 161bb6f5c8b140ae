//! Goes through the stored events in their order and computes everything anew. Pure: rows in, the first finding out.

use std::collections::HashMap;

use super::report::{Finding, Kind};
use crate::chain::{Digest, Frontier, Link, Tile, data_digest};
use crate::commit::Head;
use crate::erase::{KeyId, TOMBSTONE};
use crate::{AppendId, Event, Position};

/// An event as it is stored, with what was computed when it was appended.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) event: Event,
    pub(crate) category: String,
    pub(crate) data_digest: Digest,
    pub(crate) leaf: Digest,
    pub(crate) chain: Digest,
    /// What is stored of its append, if anything is.
    pub(crate) made: Option<Made>,
}

/// The first and the last position of an append, as they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) first: Position,
    pub(crate) last: Position,
}

/// What was walked over so far.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) position: Position,
    pub(super) chain: Digest,
    pub(super) frontier: Frontier,
    pub(super) appends: u64,
    pub(super) data_erased: u64,
    pub(super) keys_dropped: u64,
    /// Subtrees that were completed since they were last taken.
    pub(super) tiles: Vec<Tile>,
    versions: HashMap<Box<str>, u64>,
    run: Option<(AppendId, Made)>,
    /// Whether the chain that is stored at the last position is not the one computed.
    unchained: bool,
}

pub(super) fn finding(position: Position, kind: Kind, seen: &str) -> Finding {
    Finding { position, up_to: None, kind, seen: seen.to_owned() }
}

impl Walk {
    pub(super) fn new() -> Self {
        Self {
            position: Position::START,
            chain: Digest::ZERO,
            frontier: Frontier::empty(),
            appends: 0,
            data_erased: 0,
            keys_dropped: 0,
            tiles: Vec::new(),
            versions: HashMap::new(),
            run: None,
            unchained: false,
        }
    }

    /// How many streams there were.
    pub(super) fn streams(&self) -> u64 {
        self.versions.len() as u64
    }

    /// The next event.
    pub(super) fn step(&mut self, stored: &Stored) -> Result<(), Finding> {
        let event = &stored.event;
        let position = event.position;
        let expected = self.position.next();
        let chain = Link::chained(&self.chain, &stored.leaf);
        if self.unchained {
            return Err(self.which_is_unchained(position == expected && stored.chain == chain));
        }
        if position < expected {
            return Err(finding(position, Kind::Inserted, "two events have this position"));
        }
        if position > expected {
            return Err(finding(expected, Kind::Missing, "there is no event at this position"));
        }
        contents(stored)?;
        self.stream(event)?;
        self.append(stored)?;
        self.count(event);
        // Whether this event or the one before it was changed shows at the next one.
        self.unchained = stored.chain != chain;
        let tiles = &mut self.tiles;
        self.frontier.push_completing(stored.leaf, |tile| tiles.push(tile));
        self.chain = chain;
        self.position = position;
        Ok(())
    }

    /// The end of all events, which must be the head.
    pub(super) fn end(&self, head: &Head) -> Result<(), Finding> {
        if self.unchained {
            return Err(self.which_is_unchained(self.chain == head.chain));
        }
        if self.position < head.position {
            let seen = "the journal ends before this position, which its head says it has";
            return Err(finding(self.position.next(), Kind::Missing, seen));
        }
        if let Some((_, made)) = self.run
            && made.last != self.position
        {
            return Err(finding(self.position, Kind::Append, "its append is said to have brought more events"));
        }
        if self.chain != head.chain || self.frontier != head.frontier {
            return Err(finding(head.position, Kind::Head, "the head is not what the events come to"));
        }
        Ok(())
    }

    /// Tells whether only an event's own link was changed, or the event before it with its link.
    fn which_is_unchained(&self, next_agrees: bool) -> Finding {
        let seen = "it is not chained to the event before it";
        if next_agrees || self.position.number() <= 1 {
            return finding(self.position, Kind::Unchained, seen);
        }
        let before = Position::new(self.position.number().saturating_sub(1));
        let seen = "the event after it is not chained to it: one of both was changed";
        Finding { up_to: Some(self.position), ..finding(before, Kind::Unchained, seen) }
    }

    fn stream(&mut self, event: &Event) -> Result<(), Finding> {
        let name = event.stream.as_str();
        let version = match self.versions.get_mut(name) {
            Some(version) => version,
            None => self.versions.entry(name.into()).or_insert(0),
        };
        *version += 1;
        if *version == event.version {
            Ok(())
        } else {
            Err(finding(event.position, Kind::Version, "it does not follow the event before it in its stream"))
        }
    }

    fn append(&mut self, stored: &Stored) -> Result<(), Finding> {
        let (id, position) = (stored.event.append, stored.event.position);
        let refuse = |seen| Err(finding(position, Kind::Append, seen));
        let Some(made) = stored.made else { return refuse("nothing is stored of its append") };
        match self.run {
            Some((running, of)) if running == id && made == of && position <= of.last => {}
            Some((running, _)) if running == id => return refuse("its append is said to have ended before it"),
            Some((_, of)) if of.last != self.position => {
                return refuse("the append before it is said to have brought this event");
            }
            _ if made.first != position || made.last < position => {
                return refuse("its append is said to be elsewhere");
            }
            _ => {
                self.run = Some((id, made));
                self.appends += 1;
            }
        }
        Ok(())
    }

    fn count(&mut self, event: &Event) {
        #[derive(serde::Deserialize)]
        struct Tombstone {
            keys: Vec<KeyId>,
        }
        let Some(data) = &event.data else {
            self.data_erased += 1;
            return;
        };
        if event.event_type.as_str() == TOMBSTONE
            && let Ok(tombstone) = serde_json::from_slice::<Tombstone>(data)
        {
            self.keys_dropped += tombstone.keys.len() as u64;
        }
    }
}

/// Whether what is stored of an event is what its digests say.
fn contents(stored: &Stored) -> Result<(), Finding> {
    let event = &stored.event;
    let changed = |kind, seen| Err(finding(event.position, kind, seen));
    if event.data.as_ref().is_some_and(|data| data_digest(data) != stored.data_digest) {
        return changed(Kind::DataChanged, "its data is not what its digest says");
    }
    let link = Link {
        position: event.position,
        stream: &event.stream,
        version: event.version,
        id: event.id,
        append: event.append,
        event_type: event.event_type.as_str(),
        schema: event.schema,
        data_digest: stored.data_digest,
        metadata: &event.metadata,
        correlation: event.correlation.as_ref(),
        causation: event.causation.as_ref(),
        recorded_at_us: event.recorded_at_us,
    };
    if link.leaf() != stored.leaf {
        return changed(Kind::EventChanged, "what is stored of it is not what its leaf says");
    }
    if stored.category != event.stream.category() {
        return changed(Kind::EventChanged, "its category is not its stream's");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
