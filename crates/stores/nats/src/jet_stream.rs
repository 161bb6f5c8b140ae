//! Stores messages in a stream, over a connection that is made anew when it proves to be bad.

use std::str::FromStr;
use std::sync::{Arc, MutexGuard, PoisonError};

use async_nats::HeaderMap;
use async_nats::header::{HeaderName, HeaderValue};
use async_nats::jetstream::Context;
use bytes::Bytes;

use crate::subject::subject;
use crate::{Error, Options, connection};

/// The header by which JetStream knows a message again.
pub(crate) const IDENTITY: &str = "Nats-Msg-Id";

/// A message on its way.
#[derive(Clone)]
pub struct Outgoing<'a> {
    /// Its identity: the same within the stream's duplicate window is stored once.
    pub id: &'a str,
    /// Its kind, which becomes the subject's last token.
    pub kind: &'a str,
    /// Names and values that go beside the payload.
    pub headers: &'a [(&'static str, &'a str)],
    /// What it says.
    pub payload: Bytes,
}

/// What became of a message that the stream has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is stored.
    Now,
    /// An earlier attempt had stored it.
    Before,
}

/// A stream of a broker. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct JetStream {
    options: Arc<Options>,
    connection: Arc<Connection>,
}

#[derive(Default)]
struct Connection {
    made: std::sync::Mutex<Option<Arc<Context>>>,
    /// Held by the one that makes a connection, while the others wait for it.
    making: tokio::sync::Mutex<()>,
}

impl Connection {
    fn made(&self) -> MutexGuard<'_, Option<Arc<Context>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use. Unless it has answered, the next message makes a new one, also where nobody waits for the answer
/// any more.
pub(crate) struct InUse {
    connection: Arc<Connection>,
    pub(crate) context: Arc<Context>,
    pub(crate) has_answered: bool,
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut made = self.connection.made();
        if !self.has_answered && made.as_ref().is_some_and(|context| Arc::ptr_eq(context, &self.context)) {
            *made = None;
        }
    }
}

impl JetStream {
    /// A stream that is connected to when the first message comes.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options: Arc::new(options), connection: Arc::default() }
    }

    /// The stream's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.options.stream
    }

    /// Stores a message and waits until the broker says that it did. A caller that waits no longer may drop the future;
    /// the message is then stored or not.
    ///
    /// # Errors
    /// When it is not known to be stored; [`Error::is_for_good`] where it never will be.
    pub async fn publish(&self, message: Outgoing<'_>) -> Result<Stored, Error> {
        let headers = headers(&message)?;
        let mut connection = self.connected().await?;
        let subject = subject(&self.options.prefix, message.kind);
        let limit = self.options.answer_limit;
        let publishing = async {
            let sent = connection.context.publish_with_headers(subject, headers, message.payload).await?;
            sent.await
        };
        let published = match tokio::time::timeout(limit, publishing).await {
            Ok(published) => published.map_err(Error::from),
            Err(_) => Err(Error::NoAnswer { limit }),
        };
        connection.has_answered = published.as_ref().err().is_none_or(Error::is_for_good);
        published.map(|stored| if stored.duplicate { Stored::Before } else { Stored::Now })
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) async fn connected(&self) -> Result<InUse, Error> {
        let in_use = |context| InUse { connection: Arc::clone(&self.connection), context, has_answered: false };
        let made = || self.connection.made().as_ref().map(Arc::clone);
        if let Some(context) = made() {
            return Ok(in_use(context));
        }
        let _making = self.connection.making.lock().await;
        if let Some(context) = made() {
            return Ok(in_use(context));
        }
        let context = Arc::new(connection::open(&self.options).await?);
        *self.connection.made() = Some(Arc::clone(&context));
        Ok(in_use(context))
    }
}

fn headers(message: &Outgoing<'_>) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in [(IDENTITY, message.id)].iter().chain(message.headers) {
        let name = HeaderName::from_str(name).map_err(|_| Error::NotAHeader)?;
        headers.insert(name, HeaderValue::from_str(value).map_err(|_| Error::NotAHeader)?);
    }
    Ok(headers)
}
