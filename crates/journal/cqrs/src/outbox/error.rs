//! What can go wrong with an outbox.

use atalaya_eventstore::TablesError;
use uuid::Uuid;

/// What can go wrong with an outbox.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The database of its table.
    #[error(transparent)]
    Tables(#[from] TablesError),
    /// A row of the table has another shape.
    #[error("a row of the outbox cannot be read")]
    Unreadable,
    /// Only a message that the broker refused can be released or dropped.
    #[error("the message {id} is not held")]
    NotHeld {
        /// Which one.
        id: Uuid,
    },
    /// A drop says why.
    #[error("a message is dropped only with a reason")]
    NoReason,
}
