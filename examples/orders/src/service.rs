//! What makes a service of a journal and the tables beside it: a projection, an outbox and an inbox.

use std::time::Duration;

use atalaya_cqrs::inbox::{HandlerError, Inbox, Incoming};
use atalaya_cqrs::outbox::{Outbox, Relay, RelayOptions};
use atalaya_cqrs::projection::{Projector, RowPerAggregate, TableOf};
use atalaya_eventstore::{Store, Tables};
use atalaya_nats::JetStream;
use tokio::sync::watch;

/// Nothing is decided here by what kind of error it is.
pub(crate) type Result<T, E = HandlerError> = std::result::Result<T, E>;

/// After so long somebody else goes on with what a killed process had begun.
pub(crate) const LEASE: Duration = Duration::from_secs(5);

/// Makes the journal's events into rows and messages, brings the messages to the stream `own`, and hands over those of
/// `other`. It may be dropped or killed at any time: the next one goes on where each of the three was.
pub(crate) async fn run<A: TableOf, F: Future<Output = Result<()>>>(
    (journal, tables): &(Store, Tables),
    (own, other): (&JetStream, &JetStream),
    hear: impl Fn(Incoming) -> F,
) -> Result<()> {
    let outbox = Outbox::open(tables.clone()).await?;
    let projector = Projector::open(journal.clone(), tables.clone(), RowPerAggregate::<A>::new()).await?;
    let relay = Relay::new(outbox, own.clone(), RelayOptions { lease: LEASE, ..RelayOptions::default() });
    let inbox = Inbox::open(tables.clone(), other.clone()).await?;
    let (_stop, stopped) = watch::channel(false);
    tokio::select! {
        ended = projector.follow(stopped.clone()) => Ok(ended?),
        ended = relay.run(stopped.clone()) => Ok(ended?),
        ended = inbox.follow(stopped.clone(), hear) => Ok(ended?),
    }
}
