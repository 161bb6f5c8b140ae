//! Takes the source's messages as they come, and lets out what is committed.

use std::collections::HashMap;

use atalaya_pgwire::pgoutput::{Decoder, Message, StreamAbort, StreamCommit};
use bytes::Bytes;
use tokio::sync::watch;

use super::kept::Kept;
use super::play::Play;
use super::relations::Relations;
use super::spill::SpillOptions;
use crate::Error;

/// What became of a message.
#[derive(Debug)]
pub(crate) enum Taken {
    /// It is part of a transaction in progress, or the end of one that was rolled back.
    Kept,
    /// It belongs to none and stands for itself.
    Message(Message),
    /// It commits a transaction, which is to be played before anything else.
    Committed(Box<Play>),
}

/// How much is in progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Transactions.
    pub(crate) transactions: usize,
    /// Bytes of all of them, in memory and on disk.
    pub(crate) bytes: u64,
}

/// The transactions in progress on one replication connection.
#[derive(Debug)]
pub(crate) struct Assembly {
    options: SpillOptions,
    decoder: Decoder,
    transactions: HashMap<u32, Kept>,
    /// The transaction whose block is open.
    block: Option<u32>,
    relations: Relations,
    memory_bytes: usize,
    held: watch::Sender<Held>,
}

impl Assembly {
    /// For a connection that has just begun.
    pub(crate) fn new(options: SpillOptions) -> Self {
        Self {
            options,
            decoder: Decoder::new(),
            transactions: HashMap::new(),
            block: None,
            relations: Relations::default(),
            memory_bytes: 0,
            held: watch::Sender::default(),
        }
    }

    /// How much is in progress, as of the last block.
    pub(crate) fn held(&self) -> watch::Receiver<Held> {
        self.held.subscribe()
    }

    /// Takes the next message; copies what it keeps, so that the read buffer's memory is free.
    ///
    /// # Errors
    /// When the disk has no room, or the messages are none that the protocol allows.
    pub(crate) async fn take(&mut self, payload: Bytes) -> Result<Taken, Error> {
        if let Some(xid) = self.decoder.peek_streamed(&payload) {
            self.keep(xid, payload)?;
            if self.memory_bytes > self.options.memory_bytes {
                self.spill().await?;
            }
            return Ok(Taken::Kept);
        }
        match self.decoder.decode(payload)? {
            Message::StreamStart { xid, is_first_segment } => {
                self.block = Some(xid);
                let before = self.transactions.contains_key(&xid);
                if before == is_first_segment {
                    return Err(Error::Broken("a block of a transaction came before its first, or its first twice"));
                }
                self.transactions.entry(xid).or_default();
            }
            Message::StreamStop => {
                self.block = None;
                self.tell();
            }
            Message::StreamAbort(abort) => {
                self.abort(abort).await?;
                self.tell();
            }
            Message::StreamCommit(commit) => {
                let play = self.commit(commit)?;
                self.tell();
                return Ok(Taken::Committed(play));
            }
            message => {
                if let Message::Relation(relation) = &message {
                    self.relations.say(relation);
                }
                return Ok(Taken::Message(message));
            }
        }
        Ok(Taken::Kept)
    }

    /// What is kept.
    #[cfg(test)]
    pub(super) fn transactions(&self) -> impl Iterator<Item = &Kept> {
        self.transactions.values()
    }

    /// Bytes of it in memory.
    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    fn keep(&mut self, xid: u32, payload: Bytes) -> Result<(), Error> {
        let open = self.block.and_then(|top| self.transactions.get_mut(&top));
        let kept = open.ok_or(Error::Broken("a message of a block came outside of one"))?;
        if payload.first() == Some(&b'R')
            && let Message::Relation(relation) = self.decoder.decode(payload.clone())?
        {
            kept.push_relation(self.relations.number(), relation);
        }
        self.memory_bytes += kept.push(xid, &payload)?;
        Ok(())
    }

    /// Writes the largest part that is in memory.
    async fn spill(&mut self) -> Result<(), Error> {
        let taken = self.transactions.values().map(Kept::written_bytes).sum();
        if let Some(largest) = self.transactions.values_mut().max_by_key(|kept| kept.tail_bytes()) {
            self.memory_bytes -= largest.tail_bytes();
            largest.spill(&self.options, taken).await?;
        }
        Ok(())
    }

    async fn abort(&mut self, abort: StreamAbort) -> Result<(), Error> {
        // One that is not known here sent nothing.
        if abort.xid == abort.subtransaction_xid {
            if let Some(kept) = self.transactions.remove(&abort.xid) {
                self.memory_bytes -= kept.tail_bytes();
                kept.discard();
            }
        } else if let Some(kept) = self.transactions.get_mut(&abort.xid) {
            self.memory_bytes -= kept.tail_bytes();
            kept.cut(abort.subtransaction_xid, &self.options).await?;
            self.memory_bytes += kept.tail_bytes();
        }
        Ok(())
    }

    fn tell(&self) {
        let bytes = self.transactions.values().map(|kept| kept.length()).sum();
        self.held.send_replace(Held { transactions: self.transactions.len(), bytes });
    }

    fn commit(&mut self, commit: StreamCommit) -> Result<Box<Play>, Error> {
        let kept = self.transactions.remove(&commit.xid);
        let kept = kept.ok_or(Error::Broken("a commit came of a transaction that never began"))?;
        self.memory_bytes -= kept.tail_bytes();
        let again = self.relations.commit(kept.relations());
        Ok(Box::new(Play::new(kept, commit, again, self.options.clone())))
    }
}
