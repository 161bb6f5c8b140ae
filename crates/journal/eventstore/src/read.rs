//! What is read of the journal.

use crate::{EventType, Position, StreamName};

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
