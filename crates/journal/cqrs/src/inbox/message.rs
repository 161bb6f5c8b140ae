//! A message as its handler gets it.

use atalaya_nats::Received;
use bytes::Bytes;
use serde::de::DeserializeOwned;

/// A message whose payload is something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message's payload cannot be read")]
pub struct Unreadable;

/// A message as it came.
#[derive(Clone)]
pub struct Incoming {
    /// Its identity, the same however often it comes: the header `id`, as the outbox's relays set it, or the broker's own.
    pub id: String,
    /// Its place in the stream.
    pub sequence: u64,
    /// What it says happened, where its relay has told.
    pub message_type: Option<String>,
    /// What it says.
    pub payload: Bytes,
}

impl Incoming {
    /// What it says, from JSON.
    ///
    /// # Errors
    /// When it is something else.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Unreadable> {
        // Without serde's words, which may quote a value.
        serde_json::from_slice(&self.payload).map_err(|_| Unreadable)
    }

    pub(super) fn of(message: Received) -> Option<Self> {
        Some(Self {
            id: message.header("id").or_else(|| message.id())?.to_owned(),
            sequence: message.sequence,
            message_type: message.header("type").map(str::to_owned),
            payload: message.payload,
        })
    }
}
