//! One transaction in progress: its messages as they came, in order, and where each subtransaction begins.
//!
//! A message is kept as its length in four bytes and its payload. What is not yet written is the file's tail.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use atalaya_pgwire::pgoutput::Relation;

use super::spill::{SpillOptions, blocking, close};
use crate::Error;

/// Bytes before each payload.
pub(super) const HEADER: usize = size_of::<u32>();

/// A relation message within.
#[derive(Debug)]
pub(super) struct KeptRelation {
    position: u64,
    /// Its place among all relation messages of the connection.
    pub(super) number: u64,
    pub(super) relation: Relation,
}

/// A transaction that may still be rolled back.
#[derive(Debug, Default)]
pub(super) struct Kept {
    file: Option<Arc<File>>,
    written: u64,
    tail: Vec<u8>,
    /// Where each subtransaction's first message begins, and the same in order. The source itself keeps many times
    /// these bytes for each.
    firsts: HashMap<u32, u64>,
    order: Vec<u32>,
    relations: Vec<KeptRelation>,
}

impl Kept {
    /// Bytes in memory.
    pub(super) fn tail_bytes(&self) -> usize {
        self.tail.len()
    }

    /// Bytes on disk.
    pub(super) fn written_bytes(&self) -> u64 {
        self.written
    }

    /// Relation messages that were not rolled back, in order.
    pub(super) fn relations(&self) -> &[KeptRelation] {
        &self.relations
    }

    /// Bytes in all.
    pub(super) fn length(&self) -> u64 {
        self.written + to_u64(self.tail.len())
    }

    /// Adds a message of the transaction itself or of a subtransaction; answers with the bytes it takes.
    pub(super) fn push(&mut self, xid: u32, payload: &[u8]) -> Result<usize, Error> {
        let length =
            u32::try_from(payload.len()).map_err(|_| Error::Broken("a message is larger than a row can be"))?;
        let position = self.length();
        self.firsts.entry(xid).or_insert_with(|| {
            self.order.push(xid);
            position
        });
        self.tail.extend_from_slice(&length.to_be_bytes());
        self.tail.extend_from_slice(payload);
        Ok(HEADER + payload.len())
    }

    /// Remembers that the message to be pushed next describes a relation.
    pub(super) fn push_relation(&mut self, number: u64, relation: Relation) {
        self.relations.push(KeptRelation { position: self.length(), number, relation });
    }

    /// Forgets a subtransaction and all that came after its first message: until it ended nothing outside of it could
    /// be written, and what was rolled back with it is named in aborts of its own. One that is not known sent nothing
    /// of ours, or is gone with another.
    pub(super) async fn cut(&mut self, subtransaction: u32, options: &SpillOptions) -> Result<(), Error> {
        let Some(position) = self.firsts.get(&subtransaction).copied() else { return Ok(()) };
        while let Some(xid) = self.order.pop_if(|xid| self.firsts.get(xid).is_none_or(|first| *first >= position)) {
            self.firsts.remove(&xid);
        }
        while self.relations.pop_if(|relation| relation.position >= position).is_some() {}
        match position.checked_sub(self.written) {
            Some(within) => self.tail.truncate(usize::try_from(within).unwrap_or(usize::MAX)),
            None => {
                self.tail = Vec::new();
                self.written = position;
                if let Some(file) = self.file.clone() {
                    let cut = blocking(move || file.set_len(position)).await?;
                    cut.map_err(|source| options.failed("cut a file in", source))?;
                }
            }
        }
        Ok(())
    }

    /// Moves what is in memory to the file; `taken` is what all files hold before.
    pub(super) async fn spill(&mut self, options: &SpillOptions, taken: u64) -> Result<(), Error> {
        let (file, position, options) = (self.file.take(), self.written, options.clone());
        let tail = std::mem::take(&mut self.tail);
        let bytes = to_u64(tail.len());
        self.file = Some(blocking(move || options.write(file, position, &tail, taken)).await??);
        self.written += bytes;
        Ok(())
    }

    /// Forgets all of it.
    pub(super) fn discard(self) {
        close(self.file);
    }

    /// The file with its length, and what comes after it.
    pub(super) fn into_parts(self) -> (Option<Arc<File>>, u64, Vec<u8>) {
        (self.file, self.written, self.tail)
    }
}

/// A length in memory is never longer than a file may be.
pub(super) fn to_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
