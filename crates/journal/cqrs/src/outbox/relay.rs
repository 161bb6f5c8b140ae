//! Brings messages from the table to the broker. Never deletes what it does not know to be there, nor without its lease.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::watch;
use uuid::Uuid;

use super::in_hand::Counted;
use super::lease::Lease;
use super::pauses::Pauses;
use super::round::{Published, Round};
use super::{Broker, Outbox, OutboxError, RelayStatus, batch};

/// How often a relay looks whether another one is gone.
const LOOK: Duration = Duration::from_secs(1);

/// How a relay works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayOptions {
    /// The most messages in memory.
    pub rows: u32,
    /// The most bytes of payload in memory, but for one message beyond.
    pub bytes: u64,
    /// How many keys are published at once.
    pub keys_at_once: usize,
    /// For how long a relay that says nothing more keeps others from relaying.
    pub lease: Duration,
    /// The longest wait for one acknowledgement; never more than a quarter of the lease.
    pub publish_limit: Duration,
    /// The pause after a first failure of the broker; it doubles with each further one.
    pub backoff: Duration,
    /// The longest such pause, also where `backoff` is longer; there is always another attempt after it.
    pub backoff_max: Duration,
    /// Between two looks at an empty table.
    pub idle: Duration,
}

impl Default for RelayOptions {
    /// 500 messages or 4 MiB, 64 keys at once, a lease of 30 s, 5 s for an acknowledgement, pauses of 100 ms to 30 s.
    fn default() -> Self {
        Self {
            rows: 500,
            bytes: 4 << 20,
            keys_at_once: 64,
            lease: Duration::from_secs(30),
            publish_limit: Duration::from_secs(5),
            backoff: Duration::from_millis(100),
            backoff_max: Duration::from_secs(30),
            idle: Duration::from_millis(100),
        }
    }
}

/// What one turn came to.
enum Turn {
    /// There may be more.
    GoneOn,
    /// There is nothing.
    Empty,
    /// Another relay has the lease.
    Elsewhere,
    /// The broker is away; whether it was there at first.
    Unavailable { after_some: bool },
}

/// A relay between an outbox and a broker. Of several on one outbox one works, and another goes on when it ends.
pub struct Relay<B> {
    outbox: Outbox,
    broker: B,
    options: RelayOptions,
    owner: String,
    counted: Counted,
}

impl<B: Broker> Relay<B> {
    /// A relay that has not begun.
    #[must_use]
    pub fn new(outbox: Outbox, broker: B, options: RelayOptions) -> Self {
        Self { outbox, broker, options, owner: Uuid::new_v4().to_string(), counted: Counted::default() }
    }

    /// How it stands, for a gauge or an alarm.
    #[must_use]
    pub fn status(&self) -> RelayStatus {
        self.counted.status()
    }

    /// Relays until `stop` becomes true or its sender is gone; what is under way then is settled, and the next relay may
    /// begin at once. A broker that is away is no error.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) -> Result<(), OutboxError> {
        let mut lease = None;
        let mut pauses = Pauses::new(self.options.backoff, self.options.backoff_max);
        loop {
            let pause = match self.turn(&mut lease, &stop).await? {
                Turn::GoneOn => {
                    pauses.start_over();
                    Duration::ZERO
                }
                Turn::Empty => self.options.idle,
                Turn::Elsewhere => LOOK.min(self.options.lease / 4),
                Turn::Unavailable { after_some } => {
                    if after_some {
                        pauses.start_over();
                    }
                    pauses.after_failure()
                }
            };
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        match lease {
            Some(lease) => lease.give_up(&self.outbox.tables).await,
            None => Ok(()),
        }
    }

    async fn turn(&self, held: &mut Option<Lease>, stop: &watch::Receiver<bool>) -> Result<Turn, OutboxError> {
        let tables = &self.outbox.tables;
        let Some(mut lease) = self.lease(held.take()).await? else { return Ok(Turn::Elsewhere) };
        let queues = batch::read(tables, self.options.rows, self.options.bytes).await?;
        if queues.is_empty() {
            *held = Some(lease);
            return Ok(Turn::Empty);
        }
        let _in_hand = self.counted.take(&queues);
        let round = Round {
            lease: &lease,
            stop,
            keys_at_once: self.options.keys_at_once,
            limit: self.options.publish_limit.min(self.options.lease / 4),
            halted: AtomicBool::new(false),
        };
        let published = round.publish(&self.broker, queues).await;
        let after_some = published.has_answer();
        if after_some {
            self.counted.answered();
        }
        if published.unavailable.is_some() {
            self.counted.failed();
        }
        if !settle(&mut lease, &self.outbox, &published).await? {
            tracing::warn!("the outbox's lease was lost: another relay publishes the same messages again");
            return Ok(Turn::Elsewhere);
        }
        *held = Some(lease);
        let Some(reason) = published.unavailable else { return Ok(Turn::GoneOn) };
        tracing::warn!(reason, acknowledged = published.acknowledged.len(), "the broker is not available");
        Ok(Turn::Unavailable { after_some })
    }

    /// The lease, with enough of it left for a round.
    async fn lease(&self, held: Option<Lease>) -> Result<Option<Lease>, OutboxError> {
        let tables = &self.outbox.tables;
        if let Some(mut lease) = held
            && (lease.quarters_left() == 4 || lease.fenced(tables, Vec::new()).await?)
        {
            return Ok(Some(lease));
        }
        Lease::claim(tables, &self.owner, self.options.lease).await
    }
}

/// Deletes what the broker has and holds what it refused, in one transaction under the lease; false when that is lost.
async fn settle(lease: &mut Lease, outbox: &Outbox, published: &Published) -> Result<bool, OutboxError> {
    for (id, reason) in &published.refused {
        tracing::warn!(%id, reason, "the broker refuses a message for good: its key is held");
    }
    let mut statements = batch::deletions(&published.acknowledged);
    statements.extend(published.refused.iter().map(|(id, reason)| batch::hold(*id, reason)));
    lease.fenced(&outbox.tables, statements).await
}
