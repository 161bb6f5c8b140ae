//! Reads a spool in order, up to its last whole transaction.

use std::collections::HashMap;
use std::sync::Arc;

use atalaya_data::Lsn;
use atalaya_pgwire::pgoutput::{Decoder, Message};
use atalaya_postgres::wire::ReplicationEvent;
use bytes::Bytes;

use super::file_error;
use super::format::Record;
use super::segment::{self, SegmentReader, Unreadable};
use super::shared::{Complete, Shared};
use crate::Error;

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next {
    /// What the source sent, in order.
    Events(Vec<ReplicationEvent>),
    /// Nothing more: the source itself is to be read from `position`.
    Source {
        /// The end of the last whole transaction that was read.
        position: Lsn,
        /// What the source was told that we have.
        acknowledged: Lsn,
    },
}

/// The one reader of a spool. Blocking.
pub(super) struct Drain {
    shared: Arc<Shared>,
    next: u64,
    segment: Option<SegmentReader>,
    /// Relations of segments that are gone, told before their first change.
    untold: HashMap<u32, Bytes>,
    is_first: bool,
}

impl Drain {
    /// Begins with the first segment that is needed after `applied`.
    pub(super) fn new(shared: Arc<Shared>, applied: Lsn) -> Self {
        let next = shared.first_after(applied);
        Self { shared, next, segment: None, untold: HashMap::new(), is_first: true }
    }

    /// Whether everything before `end` is read.
    pub(super) fn is_at(&self, end: &Complete) -> bool {
        self.segment.as_ref().is_some_and(|open| open.header.sequence == end.sequence && open.offset >= end.offset)
    }

    /// The next events before `end`; none only when there are none.
    pub(super) fn read(&mut self, end: &Complete) -> Result<Vec<ReplicationEvent>, Error> {
        let mut events = Vec::new();
        while events.is_empty() && !self.is_at(end) {
            let path = segment::path(&self.shared.folder, self.next);
            let reading = |error| match error {
                Unreadable::Io(error) => file_error("read", &path, error),
                Unreadable::Flaw(_) => Error::refused(
                    "spool-damaged",
                    format!("the spool's `{}` is not what was written to it", path.display()),
                    "see whether this machine's disk and memory are well, then start again: the spool is checked first",
                ),
            };
            let open = match &mut self.segment {
                Some(open) => open,
                None => self.segment.insert(SegmentReader::open(&path).map_err(reading)?),
            };
            let limit = if self.next < end.sequence {
                open.length().map_err(|error| file_error("read", &path, error))?
            } else {
                end.offset
            };
            let records = open.read(limit).map_err(reading)?;
            if records.is_empty() && self.next < end.sequence {
                self.next += 1;
                self.segment = None;
                self.is_first = false;
            }
            for placed in records {
                self.take(placed.record, &mut events)?;
            }
        }
        Ok(events)
    }

    fn take(&mut self, record: Record, events: &mut Vec<ReplicationEvent>) -> Result<(), Error> {
        let data = |payload| ReplicationEvent::Data { wal_start: Lsn::ZERO, wal_end: Lsn::ZERO, payload };
        match record {
            Record::Idle(wal_end) => events.push(ReplicationEvent::Keepalive { wal_end, reply_requested: false }),
            // A reader that comes from the segment before has been told.
            Record::Known(payload) if self.is_first => {
                if let Message::Relation(relation) = Decoder::new().decode(payload.clone())? {
                    self.untold.insert(relation.id, payload);
                }
            }
            Record::Known(_) => {}
            Record::Message(payload) => {
                if !self.untold.is_empty() {
                    let is_told = payload.first() == Some(&b'R');
                    for id in relations(&payload)? {
                        events.extend(self.untold.remove(&id).filter(|_| !is_told).map(data));
                    }
                }
                events.push(data(payload));
            }
        }
        Ok(())
    }
}

/// The relations that a message is about.
fn relations(payload: &Bytes) -> Result<Vec<u32>, Error> {
    Ok(match payload.first() {
        Some(b'I' | b'U' | b'D' | b'T' | b'R') => match Decoder::new().decode(payload.clone())? {
            Message::Insert { relation_id, .. }
            | Message::Update { relation_id, .. }
            | Message::Delete { relation_id, .. } => vec![relation_id],
            Message::Truncate(truncate) => truncate.relation_ids,
            Message::Relation(relation) => vec![relation.id],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    })
}
