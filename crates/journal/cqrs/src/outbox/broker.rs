//! What a relay needs of a broker.

use std::future::Future;

use super::Message;

/// Where messages go.
pub trait Broker: Send + Sync + 'static {
    /// Gives a message to the broker and waits until it is stored there durably. The relay waits no longer than its limit,
    /// then drops the future and publishes the same message again later; the broker should know it by its identity.
    ///
    /// # Errors
    /// [`PublishError::Refused`] only where every further attempt would end in the same way.
    fn publish(&self, message: &Message) -> impl Future<Output = Result<(), PublishError>> + Send;
}

/// Why a message was not published. The texts reach logs and the table: never a payload, never a credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The broker is away, or does not take messages now: it is tried again, for as long as it takes.
    #[error("the broker is not available: {0}")]
    Unavailable(String),
    /// The broker will never take this message: it is held, with all that follow under its key.
    #[error("the broker refuses the message: {0}")]
    Refused(String),
}
