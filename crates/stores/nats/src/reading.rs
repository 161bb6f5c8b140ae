//! Reads what a stream holds, page by page; acknowledges nothing and changes nothing.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use async_nats::jetstream::stream::DiscardPolicy;
use bytes::Bytes;
use futures_util::StreamExt;

use crate::jet_stream::IDENTITY;
use crate::{Error, JetStream};

/// For how long the broker keeps the place of a reader that is gone.
const PLACE_KEPT: Duration = Duration::from_secs(30);

/// How long is waited until the broker has let go of a place at once.
const LETTING_GO: Duration = Duration::from_millis(500);

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

/// How a stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// When it was made, in microseconds since 1970 UTC by the broker's clock: tells it from one that was made anew under its
    /// name, whose places are other ones.
    pub made_at_us: i64,
    /// The place of the first message that it holds still; one beyond the last where there is none.
    pub first: u64,
    /// The place of the last message that it was given; 0 for none.
    pub last: u64,
    /// Whether it keeps only so many messages of each subject, and lets go of some that stand between others.
    pub is_limited_by_subject: bool,
}

impl JetStream {
    /// How the stream stands. It is made where there is none.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub async fn standing(&self) -> Result<Standing, Error> {
        let mut connection = self.connected().await?;
        let limit = self.options().answer_limit;
        let asking = connection.context.get_stream(&self.options().stream);
        let asked = match tokio::time::timeout(limit, asking).await {
            Ok(asked) => asked.map_err(not_read),
            Err(_) => Err(Error::NoAnswer { limit }),
        };
        connection.has_answered = asked.is_ok();
        let asked = asked?;
        let info = asked.cached_info();
        let made_at_us = i64::try_from(info.created.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX);
        let refuses_more = info.config.discard == DiscardPolicy::New && info.config.discard_new_per_subject;
        Ok(Standing {
            made_at_us,
            first: info.state.first_sequence.max(1),
            last: info.state.last_sequence,
            is_limited_by_subject: info.config.max_messages_per_subject > 0 && !refuses_more,
        })
    }

    /// The messages that the stream holds from a place on, at most so many; does not wait for more.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub async fn read(&self, from: u64, limit: usize) -> Result<Vec<Received>, Error> {
        self.read_waiting(from, limit, Duration::ZERO).await
    }

    /// The same; where there is none yet, waits so long for the first one. A reader goes on after the last `sequence` that it
    /// has read, kept wherever what it does with a message is kept: the broker keeps none for it.
    ///
    /// # Errors
    /// When the broker does not answer. Nothing is lost by it: the same read again.
    pub async fn read_waiting(&self, from: u64, limit: usize, patience: Duration) -> Result<Vec<Received>, Error> {
        let mut connection = self.connected().await?;
        let time_limit = self.options().answer_limit + patience;
        let reading = async {
            let stream = connection.context.get_stream_no_info(&self.options().stream).await.map_err(not_read)?;
            let place = pull::Config {
                deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from.max(1) },
                ack_policy: AckPolicy::None,
                inactive_threshold: PLACE_KEPT,
                ..pull::Config::default()
            };
            let consumer = stream.create_consumer(place).await.map_err(not_read)?;
            let mut received = fetched(&consumer, limit).await?;
            if received.is_empty() && limit > 0 && !patience.is_zero() {
                let first = consumer.batch().max_messages(1).expires(patience).messages().await.map_err(not_read)?;
                received = collected(first).await?;
                if !received.is_empty() {
                    received.extend(fetched(&consumer, limit - 1).await?);
                }
            }
            Ok((received, stream, consumer))
        };
        let read = tokio::time::timeout(time_limit, reading).await;
        let read = read.unwrap_or(Err(Error::NoAnswer { limit: time_limit }));
        connection.has_answered = read.is_ok();
        let (received, stream, consumer) = read?;
        // Where this fails, the broker does it after a while; what was read is not to wait for it.
        let letting_go = stream.delete_consumer(&consumer.cached_info().name);
        let _place_gone = tokio::time::timeout(LETTING_GO, letting_go).await;
        Ok(received)
    }
}

/// What is there.
async fn fetched(consumer: &Consumer<pull::Config>, limit: usize) -> Result<Vec<Received>, Error> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    collected(consumer.fetch().max_messages(limit).messages().await.map_err(not_read)?).await
}

async fn collected(mut messages: pull::Batch) -> Result<Vec<Received>, Error> {
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
}

fn not_read(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::NotRead(Box::new(error))
}
