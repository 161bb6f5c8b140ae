//! What a relay has in memory, counted while it works. Counts nothing that is only in the table.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Message;

/// Messages in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InHand {
    /// How many.
    pub messages: u64,
    /// Their payloads' bytes, as the database gave them.
    pub bytes: u64,
}

/// How a relay stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayStatus {
    /// Attempts in a row that the broker did not answer; 0 while it answers.
    pub failures: u64,
    /// What was read and is not settled.
    pub in_hand: InHand,
    /// The most messages and the most bytes that were in hand since it began, each for itself.
    pub most_in_hand: InHand,
}

/// Counts for whoever asks meanwhile.
#[derive(Debug, Default)]
pub(super) struct Counted {
    failures: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
    most_messages: AtomicU64,
    most_bytes: AtomicU64,
}

impl Counted {
    /// Counts messages for as long as what is returned lives.
    pub(super) fn take(&self, queues: &[Vec<Message>]) -> Taken<'_> {
        let all = || queues.iter().flatten();
        let (messages, bytes) = (all().count() as u64, all().map(|message| message.payload().len() as u64).sum());
        for (now, most, count) in
            [(&self.messages, &self.most_messages, messages), (&self.bytes, &self.most_bytes, bytes)]
        {
            let before = now.fetch_add(count, Ordering::Relaxed);
            most.fetch_max(before + count, Ordering::Relaxed);
        }
        Taken { counted: self, messages, bytes }
    }

    pub(super) fn answered(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn status(&self) -> RelayStatus {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        RelayStatus {
            failures: of(&self.failures),
            in_hand: InHand { messages: of(&self.messages), bytes: of(&self.bytes) },
            most_in_hand: InHand { messages: of(&self.most_messages), bytes: of(&self.most_bytes) },
        }
    }
}

/// Messages that are in hand until this is dropped, also where the relay is dropped in the midst of them.
pub(super) struct Taken<'a> {
    counted: &'a Counted,
    messages: u64,
    bytes: u64,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.counted.messages.fetch_sub(self.messages, Ordering::Relaxed);
        self.counted.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
