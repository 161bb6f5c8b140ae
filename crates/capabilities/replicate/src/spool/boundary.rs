//! Where whole transactions end in a stream of messages; shared by whoever writes a spool and whoever checks one.

use atalaya_data::Lsn;
use atalaya_pgwire::pgoutput::{Decoder, Message};

use super::format::Record;
use crate::Error;

/// Follows records from one whole transaction to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Boundary {
    /// Everything before is there.
    position: Lsn,
    is_within: bool,
}

impl Boundary {
    /// Begins between two transactions.
    pub(super) fn new(position: Lsn) -> Self {
        Self { position, is_within: false }
    }

    /// The end of the last whole transaction, or what the source said of itself since.
    pub(super) fn position(&self) -> Lsn {
        self.position
    }

    /// Whether a transaction has begun and not ended.
    pub(super) fn is_within(&self) -> bool {
        self.is_within
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// When it is a message that was not asked for: of a transaction that is streamed or prepared.
    pub(super) fn see(&mut self, record: &Record) -> Result<(), Error> {
        match record {
            Record::Known(_) => {}
            Record::Idle(position) => self.position = self.position.max(*position),
            Record::Message(payload) => match payload.first() {
                Some(b'B') => self.is_within = true,
                Some(b'C') => {
                    let Message::Commit(commit) = Decoder::new().decode(payload.clone())? else {
                        return Err(Error::Broken("a commit of the source cannot be read"));
                    };
                    self.is_within = false;
                    self.position = self.position.max(commit.end_lsn);
                }
                Some(b'I' | b'U' | b'D' | b'T' | b'R' | b'Y' | b'O' | b'M') => {}
                _ => return Err(Error::Broken("the source sent a message that was not asked for")),
            },
        }
        Ok(())
    }
}
