//! What is read of the journal.

use crate::{Error, Event, EventType, Position, StreamName};

/// Which events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Every one.
    All,
    /// Those of one stream.
    Stream(StreamName),
    /// Those of the streams of one category.
    Category(String),
    /// Those of some types.
    Types(Vec<EventType>),
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The oldest first.
    Forward,
    /// The newest first.
    Backward,
}

/// One page of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Which events.
    pub selection: Selection,
    /// Which way.
    pub direction: Direction,
    /// Where to begin, this one included: of a stream its version, otherwise a position. None: at the first, or
    /// backward at the last.
    pub from: Option<u64>,
    /// The most events of the page.
    pub limit: u32,
}

impl Read {
    /// The whole journal after a position.
    #[must_use]
    pub fn all_after(position: Position, limit: u32) -> Self {
        Self { selection: Selection::All, direction: Direction::Forward, from: Some(position.next().number()), limit }
    }

    /// One stream from a version on.
    #[must_use]
    pub fn stream_from(stream: StreamName, version: u64, limit: u32) -> Self {
        Self { selection: Selection::Stream(stream), direction: Direction::Forward, from: Some(version), limit }
    }
}

/// What was read: at most so many events as were asked for, and fewer where their data is large.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The events, in the direction that was asked for.
    pub events: Vec<Event>,
    /// Where the next page begins; none at the end of what is committed.
    pub next: Option<u64>,
}

/// The most bytes of data and metadata in one page; a page holds one event at least.
pub(crate) const PAGE_BYTES_MAX: usize = 16 << 20;
/// The most events of one page, whatever is asked for.
pub(crate) const PAGE_EVENTS_MAX: u32 = 10_000;
/// The most types of one selection.
pub(crate) const TYPES_MAX: usize = 256;

impl Read {
    /// The same, with the limits that every page has.
    pub(crate) fn bounded(&self) -> Result<Self, Error> {
        if let Selection::Types(types) = &self.selection
            && types.len() > TYPES_MAX
        {
            return Err(Error::Unsuitable { reason: "more than 256 types of events are selected" });
        }
        Ok(Self { limit: self.limit.clamp(1, PAGE_EVENTS_MAX), ..self.clone() })
    }

    /// The first place that is read.
    pub(crate) fn start(&self) -> u64 {
        match self.direction {
            Direction::Forward => self.from.unwrap_or(1),
            Direction::Backward => self.from.unwrap_or(u64::MAX),
        }
    }

    /// Makes a page of what was read; `cut` says that it holds fewer than there are.
    pub(crate) fn page(&self, events: Vec<Event>, cut: bool) -> Page {
        let full = cut || events.len() >= self.limit as usize;
        let last = events.last().filter(|_| full).map(|event| match self.selection {
            Selection::Stream(_) => event.version,
            _ => event.position.number(),
        });
        let next = last.and_then(|last| match self.direction {
            Direction::Forward => last.checked_add(1),
            Direction::Backward => last.checked_sub(1).filter(|place| *place > 0),
        });
        Page { events, next }
    }
}
