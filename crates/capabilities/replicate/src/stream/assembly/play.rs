//! A committed transaction leaves the assembly: read piece by piece, never whole.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use atalaya_pgwire::pgoutput::{Begin, Decoder, Message, Relation, StreamCommit};
use bytes::{Bytes, BytesMut};

use super::kept::{HEADER, Kept, to_u64};
use super::spill::{SpillOptions, blocking, close};
use crate::Error;

/// Bytes read from the file at once; more only for a single larger message.
const PIECE: usize = 1 << 20;

/// A message, and the bytes that it holds on to.
pub(crate) type Played = (Message, usize);

/// The transaction's messages, with the beginning and the end of an ordinary one.
#[derive(Debug)]
pub(crate) struct Play {
    options: SpillOptions,
    file: Option<Arc<File>>,
    file_bytes: u64,
    position: u64,
    /// What was read and is not decoded yet.
    piece: Bytes,
    tail: Bytes,
    decoder: Decoder,
    first: Option<Begin>,
    last: VecDeque<Message>,
}

impl Play {
    /// A transaction that is committed; `again` are descriptions to be said after its changes.
    pub(super) fn new(kept: Kept, commit: StreamCommit, again: Vec<Relation>, options: SpillOptions) -> Self {
        let StreamCommit { xid, commit } = commit;
        let begin = Begin { final_lsn: commit.commit_lsn, commit_time_micros: commit.commit_time_micros, xid };
        let (file, file_bytes, tail) = kept.into_parts();
        Self {
            options,
            file,
            file_bytes,
            position: 0,
            piece: Bytes::new(),
            tail: tail.into(),
            decoder: Decoder::inside_block(xid),
            first: Some(begin),
            last: again.into_iter().map(Message::Relation).chain([Message::Commit(commit)]).collect(),
        }
    }

    /// The next message, its beginning first; none after its commit.
    pub(crate) async fn next(&mut self) -> Result<Option<Played>, Error> {
        if let Some(begin) = self.first.take() {
            return Ok(Some((Message::Begin(begin), 0)));
        }
        loop {
            if let Some(payload) = self.take_payload() {
                let bytes = payload.len();
                return Ok(Some((self.decoder.decode(payload)?, bytes)));
            }
            if !self.read_on().await? {
                break;
            }
        }
        Ok(self.last.pop_front().map(|message| (message, 0)))
    }

    /// The next payload of the piece in memory, if it is there whole.
    fn take_payload(&mut self) -> Option<Bytes> {
        let length = self.next_length()?;
        if self.piece.len() - HEADER < length {
            return None;
        }
        let _header = self.piece.split_to(HEADER);
        Some(self.piece.split_to(length))
    }

    fn next_length(&self) -> Option<usize> {
        let header = *self.piece.first_chunk::<HEADER>()?;
        usize::try_from(u32::from_be_bytes(header)).ok()
    }

    /// Reads another piece; false at the end.
    async fn read_on(&mut self) -> Result<bool, Error> {
        let left = self.file_bytes - self.position;
        let Some(file) = self.file.clone().filter(|_| left > 0) else {
            if !self.piece.is_empty() {
                return Err(Error::Broken("a transaction's file ends within a message"));
            }
            close(self.file.take());
            self.piece = std::mem::take(&mut self.tail);
            return Ok(!self.piece.is_empty());
        };
        let missing = self.next_length().map_or(0, |length| (HEADER + length).saturating_sub(self.piece.len()));
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE.max(missing));
        let mut buffer = BytesMut::with_capacity(self.piece.len() + wanted);
        buffer.extend_from_slice(&self.piece);
        let position = self.position;
        let read = blocking(move || {
            let begin = buffer.len();
            buffer.resize(begin + wanted, 0);
            let filled = file.read_exact_at(buffer.get_mut(begin..).unwrap_or_default(), position);
            filled.map(|()| buffer.freeze())
        });
        self.piece = read.await?.map_err(|source| self.options.failed("read a file in", source))?;
        self.position += to_u64(wanted);
        self.options.failpoints.reach("spill-read");
        Ok(true)
    }
}
