//! Reads a stream on from the place in the table, and hands over nothing that has a hole before it which the stream's limits
//! made.

use std::future::Future;
use std::time::Duration;

use atalaya_eventstore::{Dialect, Ran, Row, Statement, Tables, Value};
use atalaya_nats::{JetStream, Received, Standing};
use tokio::sync::watch;

use super::{HandlerError, InboxError, Incoming};

/// The most messages that are read at once.
const BATCH: usize = 100;
/// How long one read waits for a message; only how soon a lost connection is noticed depends on it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Before a broker that is away is asked again.
const PAUSE: Duration = Duration::from_millis(500);

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

    /// The place of the last message that was handled, or of the last one before those that are meant for this reader.
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
        let mut place = None;
        loop {
            let next = tokio::select! {
                next = self.next(place) => next?,
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
            };
            // Whoever has waited in vain, or for the broker, looks whether the stream is the same still.
            place = None;
            let Some(Next { place: mut at, standing, messages }) = next else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            for message in messages {
                if *stop.borrow() {
                    return Ok(());
                }
                let sequence = message.sequence;
                self.ensure_none_lost(at.sequence, sequence, standing)?;
                self.hand_over(message, &handle).await?;
                self.move_on(at.sequence, sequence).await?;
                at.sequence = sequence;
                place = Some(at);
            }
        }
    }

    /// The next messages after a place; where it is not known, from where the stream was left. None where the broker is away.
    async fn next(&self, place: Option<Place>) -> Result<Option<Next>, InboxError> {
        let place = match place {
            Some(place) => place,
            None => match here(self.stream.standing().await) {
                Some(standing) => self.left_at(standing).await?,
                None => return Ok(None),
            },
        };
        let Some(messages) = here(self.stream.read_waiting(place.sequence + 1, BATCH, PATIENCE).await) else {
            return Ok(None);
        };
        // Asked afterwards: whatever the limits had taken when these were read is gone by then, and a stream that is the
        // same by then was so.
        let Some(standing) = here(self.stream.standing().await) else { return Ok(None) };
        self.ensure_same(place, standing)?;
        Ok(Some(Next { place, standing, messages }))
    }

    /// Where the stream was left, if it is the same and has all that came after.
    async fn left_at(&self, standing: Standing) -> Result<Place, InboxError> {
        let Some(kept) = self.kept().await? else {
            // What was gone before anything was read was not meant for this reader; what goes from now on is.
            let place = Place { sequence: standing.first - 1, made_at_us: Some(standing.made_at_us) };
            let sql =
                "INSERT INTO inbox (stream, sequence, made_at_us) VALUES ($1, $2, $3) ON CONFLICT (stream) DO NOTHING";
            let values =
                vec![Value::from(self.stream.name()), number(place.sequence), Value::Integer(standing.made_at_us)];
            self.tables.run(vec![Statement::new(sql, values)]).await?;
            return Ok(place);
        };
        self.ensure_same(kept, standing)?;
        self.ensure_none_lost(kept.sequence, standing.first, standing)?;
        Ok(kept)
    }

    fn ensure_same(&self, place: Place, standing: Standing) -> Result<(), InboxError> {
        if place.made_at_us != Some(standing.made_at_us) || place.sequence > standing.last {
            return Err(InboxError::OtherStream { stream: self.stream.name().to_owned() });
        }
        Ok(())
    }

    /// Between a place and the next message that is there, the stream's limits have taken none.
    fn ensure_none_lost(&self, place: u64, next: u64, standing: Standing) -> Result<(), InboxError> {
        let kept_from = if standing.is_limited_by_subject { next } else { next.min(standing.first) };
        if place + 1 < kept_from {
            let stream = self.stream.name().to_owned();
            return Err(InboxError::Gone { stream, from: place + 1, to: kept_from - 1 });
        }
        Ok(())
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

    async fn kept(&self) -> Result<Option<Place>, InboxError> {
        let sql = "SELECT sequence, made_at_us FROM inbox WHERE stream = $1";
        let rows = self.tables.query(Statement::new(sql, vec![Value::from(self.stream.name())])).await?;
        let integer = |row: &Row, at: usize| row.get(at).and_then(Value::as_integer);
        Ok(rows.first().map(|row| Place {
            sequence: integer(row, 0).and_then(|sequence| u64::try_from(sequence).ok()).unwrap_or(0),
            made_at_us: integer(row, 1),
        }))
    }

    /// Only from where it was: of two that follow one goes on.
    async fn move_on(&self, from: u64, to: u64) -> Result<(), InboxError> {
        let sql = "UPDATE inbox SET sequence = $3 WHERE stream = $1 AND sequence = $2";
        let values = vec![Value::from(self.stream.name()), number(from), number(to)];
        match self.tables.run(vec![Statement::new(sql, values).touching(1)]).await? {
            Ran::Committed(_) => Ok(()),
            Ran::Unexpected { .. } => Err(InboxError::Contended { stream: self.stream.name().to_owned() }),
        }
    }
}

/// What the table says of a stream.
#[derive(Clone, Copy)]
struct Place {
    sequence: u64,
    made_at_us: Option<i64>,
}

/// What comes after a place, and how the stream stood when that had been read.
struct Next {
    place: Place,
    standing: Standing,
    messages: Vec<Received>,
}

/// What a broker says that is not away.
fn here<T>(answer: Result<T, atalaya_nats::Error>) -> Option<T> {
    let away = |error: &atalaya_nats::Error| {
        tracing::warn!(error = error as &dyn std::error::Error, "the broker is away; it is asked again");
    };
    answer.inspect_err(away).ok()
}

fn number(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
