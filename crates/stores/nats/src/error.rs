//! What can go wrong with a broker, by what it means for the message.

use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};

/// Why a message was not stored, or may not have been. No payload, no subject and no credentials are in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The broker's URL is none.
    #[error("the broker's URL cannot be understood")]
    Url,
    /// There is no connection.
    #[error("the broker does not answer")]
    NoConnection(#[source] async_nats::ConnectError),
    /// The stream is not there and could not be made.
    #[error("the stream `{stream}` cannot be had")]
    NoStream {
        /// Its name.
        stream: String,
        /// Why not.
        #[source]
        source: jetstream::context::CreateStreamError,
    },
    /// A stream of this name is there and would not do.
    #[error("the stream `{stream}` is there and {seen}")]
    OtherStream {
        /// Its name.
        stream: String,
        /// What is wrong with it.
        seen: &'static str,
    },
    /// No acknowledgement came: the message may be stored or not.
    #[error("the broker did not acknowledge a message within {} ms", .limit.as_millis())]
    NoAnswer {
        /// How long was waited.
        limit: Duration,
    },
    /// The broker does not take messages now.
    #[error("the broker did not take a message")]
    NotTaken(#[source] PublishError),
    /// What the stream holds could not be read.
    #[error("the stream could not be read")]
    NotRead(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The message is larger than the broker or the stream ever takes.
    #[error("the message is larger than the broker takes")]
    TooLarge,
    /// What is to be a header cannot be one: it holds a line break.
    #[error("a header of the message holds a line break")]
    NotAHeader,
}

impl Error {
    /// Whether it is the message that is to blame: another attempt would end in the same way.
    #[must_use]
    pub fn is_for_good(&self) -> bool {
        matches!(self, Self::TooLarge | Self::NotAHeader)
    }
}

impl From<PublishError> for Error {
    fn from(error: PublishError) -> Self {
        let answer = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<jetstream::Error>());
        let too_large = [ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM, ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM];
        let stream_says_so = answer.is_some_and(|answer| too_large.contains(&answer.error_code()));
        if stream_says_so || error.kind() == PublishErrorKind::MaxPayloadExceeded {
            return Self::TooLarge;
        }
        Self::NotTaken(error)
    }
}
