//! Messages of others, handed over in the order of their stream; how far that has come is kept in a table.
//!
//! The counterpart of the [outbox](crate::outbox). A message is handed over **at least once**: its place is stored after
//! what it caused, so that a kill in between hands it over once more, and a relay may have published it twice. Whoever
//! handles it knows it again by [`Incoming::id`], which never changes:
//!
//! - a command on an aggregate by [`Aggregates::execute_once`](crate::Aggregates::execute_once);
//! - an answer to a saga's step by `Sagas::signal`, whose `known_by` it is.
//!
//! Then it has one effect, and a place that was lost, or restored from an older backup, costs time alone.
//!
//! ```no_run
//! use atalaya_cqrs::inbox::{Inbox, Incoming};
//! use atalaya_eventstore::Tables;
//! use atalaya_nats::{JetStream, Options};
//!
//! # async fn reserve(_: &str, _: u32) -> Result<(), std::io::Error> { Ok(()) }
//! # async fn example(tables: Tables, stop: tokio::sync::watch::Receiver<bool>) -> Result<(), Box<dyn std::error::Error>> {
//! let orders = JetStream::new(Options::new("nats://127.0.0.1:4222", "ORDERS", "orders"));
//! let inbox = Inbox::open(tables, orders).await?;
//! inbox.follow(stop, async |message: Incoming| reserve(&message.id, message.read()?).await.map_err(Into::into)).await?;
//! # Ok(())
//! # }
//! ```

use std::future::Future;
use std::time::Duration;

use atalaya_eventstore::{Dialect, Ran, Row, Statement, Tables, TablesError, Value};
use atalaya_nats::{JetStream, Received, Standing};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

/// The most messages that are read at once.
const BATCH: usize = 100;
/// How long one read waits for a message; only how soon a lost connection is noticed depends on it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Before a broker that is away is asked again.
const PAUSE: Duration = Duration::from_millis(500);

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
         reader was long away"
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

    fn of(message: Received) -> Option<Self> {
        Some(Self {
            id: message.header("id").or_else(|| message.id())?.to_owned(),
            sequence: message.sequence,
            message_type: message.header("type").map(str::to_owned),
            payload: message.payload,
        })
    }
}

/// What a database has received of one stream.
#[derive(Clone)]
pub struct Inbox {
    tables: Tables,
    stream: JetStream,
}

impl Inbox {
    /// Makes the table `inbox` where it is missing; one for all streams that a database receives.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn open(tables: Tables, stream: JetStream) -> Result<Self, InboxError> {
        let table = "CREATE TABLE IF NOT EXISTS inbox (
            stream text NOT NULL PRIMARY KEY, sequence bigint NOT NULL, made_at_us bigint)";
        let mut statements = vec![Statement::new(table, Vec::new())];
        if tables.dialect() == Dialect::Postgres {
            // Two programs that start at once: CREATE ... IF NOT EXISTS alone would fail in one of them.
            let lock = "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('atalaya_inbox'))";
            statements.insert(0, Statement::new(lock, Vec::new()));
        }
        tables.run(statements).await?;
        Ok(Self { tables, stream })
    }

    /// The place of the last message that was handled; 0 for none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn position(&self) -> Result<u64, InboxError> {
        Ok(self.kept().await?.map_or(0, |kept| kept.sequence))
    }

    /// Hands over messages one after the other until `stop` becomes true or its sender is gone. A broker that is away is no
    /// error.
    ///
    /// # Errors
    /// When the database does not answer; when a message cannot be handled: it stops before that one; when the stream is not
    /// the one that was read before, or has let go of messages.
    pub async fn follow<F>(
        &self,
        mut stop: watch::Receiver<bool>,
        handle: impl Fn(Incoming) -> F,
    ) -> Result<(), InboxError>
    where
        F: Future<Output = Result<(), HandlerError>>,
    {
        let mut position = None;
        loop {
            let messages = tokio::select! {
                messages = self.next(position) => messages?,
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
            };
            let Some((mut at, messages)) = messages else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            // Whoever has waited in vain looks whether the stream is the same still.
            position = (!messages.is_empty()).then_some(at);
            for message in messages {
                if *stop.borrow() {
                    return Ok(());
                }
                let sequence = message.sequence;
                self.hand_over(message, &handle).await?;
                self.move_on(at, sequence).await?;
                at = sequence;
                position = Some(at);
            }
        }
    }

    /// The next messages after a place, and that place; where it is not known, from where the stream was left. None where the
    /// broker is away.
    async fn next(&self, position: Option<u64>) -> Result<Option<(u64, Vec<Received>)>, InboxError> {
        let away = |error: &atalaya_nats::Error| {
            tracing::warn!(error = error as &dyn std::error::Error, "the broker is away; it is asked again");
        };
        let position = match position {
            Some(position) => position,
            None => match self.stream.standing().await {
                Ok(standing) => self.left_at(standing).await?,
                Err(error) => {
                    away(&error);
                    return Ok(None);
                }
            },
        };
        let read = self.stream.read_waiting(position + 1, BATCH, PATIENCE).await;
        Ok(read.inspect_err(away).ok().map(|messages| (position, messages)))
    }

    /// Where the stream was left, if it is the same and has all that came after.
    async fn left_at(&self, standing: Standing) -> Result<u64, InboxError> {
        let stream = || self.stream.name().to_owned();
        let Some(kept) = self.kept().await? else {
            let sql =
                "INSERT INTO inbox (stream, sequence, made_at_us) VALUES ($1, 0, $2) ON CONFLICT (stream) DO NOTHING";
            let values = vec![Value::from(self.stream.name()), Value::Integer(standing.made_at_us)];
            self.tables.run(vec![Statement::new(sql, values)]).await?;
            return Ok(0);
        };
        if kept.made_at_us != Some(standing.made_at_us) || kept.sequence > standing.last {
            return Err(InboxError::OtherStream { stream: stream() });
        }
        // What was gone before anything was read was not meant for this reader.
        if kept.sequence > 0 && kept.sequence + 1 < standing.first {
            return Err(InboxError::Gone { stream: stream(), from: kept.sequence + 1, to: standing.first - 1 });
        }
        Ok(kept.sequence)
    }

    async fn hand_over<F>(&self, message: Received, handle: &impl Fn(Incoming) -> F) -> Result<(), InboxError>
    where
        F: Future<Output = Result<(), HandlerError>>,
    {
        let stream = || self.stream.name().to_owned();
        let sequence = message.sequence;
        let incoming = Incoming::of(message).ok_or_else(|| InboxError::NoIdentity { stream: stream(), sequence })?;
        let id = incoming.id.clone();
        handle(incoming).await.map_err(|source| InboxError::NotHandled { stream: stream(), id, source })
    }

    async fn kept(&self) -> Result<Option<Kept>, InboxError> {
        let sql = "SELECT sequence, made_at_us FROM inbox WHERE stream = $1";
        let rows = self.tables.query(Statement::new(sql, vec![Value::from(self.stream.name())])).await?;
        let number = |row: &Row, at: usize| row.get(at).and_then(Value::as_integer);
        Ok(rows.first().map(|row| Kept {
            sequence: number(row, 0).and_then(|sequence| u64::try_from(sequence).ok()).unwrap_or(0),
            made_at_us: number(row, 1),
        }))
    }

    /// Only from where it was: of two that follow one goes on.
    async fn move_on(&self, from: u64, to: u64) -> Result<(), InboxError> {
        let number = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        let sql = "UPDATE inbox SET sequence = $3 WHERE stream = $1 AND sequence = $2";
        let values = vec![Value::from(self.stream.name()), number(from), number(to)];
        match self.tables.run(vec![Statement::new(sql, values).touching(1)]).await? {
            Ran::Committed(_) => Ok(()),
            Ran::Unexpected { .. } => Err(InboxError::Contended { stream: self.stream.name().to_owned() }),
        }
    }
}

/// What the table says of a stream.
struct Kept {
    sequence: u64,
    made_at_us: Option<i64>,
}
