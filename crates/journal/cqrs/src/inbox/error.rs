//! What ends a reader, and what its operator does about it; no payload is in it.

use atalaya_eventstore::TablesError;

/// Whatever a handler fails with.
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// What can go wrong with an inbox.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    /// The database of its table.
    #[error(transparent)]
    Tables(#[from] TablesError),
    /// A message cannot be known again.
    #[error("the message {sequence} of `{stream}` has no identity: neither a header `id` nor one of the broker's")]
    NoIdentity {
        /// The stream.
        stream: String,
        /// Its place in it.
        sequence: u64,
    },
    /// A message could not be handled; it is handed over again.
    #[error("the message `{id}` of `{stream}` could not be handled")]
    NotHandled {
        /// The stream.
        stream: String,
        /// The message.
        id: String,
        /// Why.
        #[source]
        source: HandlerError,
    },
    /// The stream is not the one that was read before, and other messages stand at its places.
    #[error(
        "the stream `{stream}` was made anew since it was read: once whoever writes to it has sent again what was lost, \
         delete its row from the table `inbox`, and it is read from its beginning"
    )]
    OtherStream {
        /// The stream.
        stream: String,
    },
    /// The stream has let go of messages before they were read.
    #[error(
        "messages {from} to {to} of `{stream}` are gone before they were handled: its limits are narrower than this \
         reader was late; once what they said is made good, set `sequence` to {to} in its row of the table `inbox`"
    )]
    Gone {
        /// The stream.
        stream: String,
        /// The first one.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// Another process follows the same stream into the same table.
    #[error("another process receives `{stream}` here")]
    Contended {
        /// The stream.
        stream: String,
    },
}
