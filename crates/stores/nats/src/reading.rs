//! Reads what a stream holds, page by page; acknowledges nothing and changes nothing.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use bytes::Bytes;
use futures_util::StreamExt;

use crate::jet_stream::IDENTITY;
use crate::{Error, JetStream};

/// For how long the broker keeps the place of a reader that is gone.
const PLACE_KEPT: Duration = Duration::from_secs(30);

/// A message that the stream holds.
#[derive(Clone)]
pub struct Received {
    /// Its place in the stream.
    pub sequence: u64,
    /// The subject that it was stored under.
    pub subject: String,
    /// What it says.
    pub payload: Bytes,
    headers: HeaderMap,
}

impl Received {
    /// Its identity, if it was given one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.header(IDENTITY)
    }

    /// What goes beside the payload under a name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(async_nats::HeaderValue::as_str)
    }
}

impl JetStream {
    /// The messages that the stream holds from a place on, at most so many; does not wait for more.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub async fn read(&self, from: u64, limit: usize) -> Result<Vec<Received>, Error> {
        let mut connection = self.connected().await?;
        let time_limit = self.options().answer_limit;
        let reading = async {
            let stream = connection.context.get_stream_no_info(&self.options().stream).await.map_err(not_read)?;
            let place = pull::Config {
                deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from.max(1) },
                ack_policy: AckPolicy::None,
                inactive_threshold: PLACE_KEPT,
                ..pull::Config::default()
            };
            let consumer = stream.create_consumer(place).await.map_err(not_read)?;
            let mut messages = consumer.fetch().max_messages(limit).messages().await.map_err(not_read)?;
            let mut received = Vec::new();
            while let Some(message) = messages.next().await {
                let message = message.map_err(Error::NotRead)?;
                let sequence = message.info().map_err(Error::NotRead)?.stream_sequence;
                let (message, _) = message.split();
                received.push(Received {
                    sequence,
                    subject: message.subject.to_string(),
                    payload: message.payload,
                    headers: message.headers.unwrap_or_default(),
                });
            }
            Ok(received)
        };
        let read = tokio::time::timeout(time_limit, reading).await;
        let read = read.unwrap_or(Err(Error::NoAnswer { limit: time_limit }));
        connection.has_answered = read.is_ok();
        read
    }
}

fn not_read(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::NotRead(Box::new(error))
}
