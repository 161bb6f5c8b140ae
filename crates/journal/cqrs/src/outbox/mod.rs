//! Messages to others, written in the transaction of the projection's checkpoint and relayed from there to a broker.
//!
//! A message is a row of the table `outbox`, made by [`Message::insert`] and returned from
//! [`Projection::effects`](crate::projection::Projection::effects), or said with
//! [`Made::tell`](crate::projection::Made::tell): it is there once, or its event was not projected. The [`Relay`] publishes
//! rows and deletes what the broker has acknowledged. Whoever receives them has an [inbox](crate::inbox). What it promises:
//!
//! - **At least once, under an identity that never changes**: it comes from the event's. Whoever receives a message twice
//!   knows it by [`Message::id`]; a broker with a duplicate window stores it once.
//! - **In order per key**, the aggregate's type and id; different keys go at once. All messages of one key have to come of
//!   one projection: two projections do not wait for each other.
//! - **One relay at a time**, by a lease of the database's clock that is checked in the transaction of every deletion. One
//!   that was frozen for longer than its lease deletes nothing, and begins to publish nothing more.
//! - **A broker that is away costs rows, not memory**: attempts come at growing intervals up to a limit, for as long as it
//!   takes. [`Outbox::status`] tells how much waits and since when, [`Relay::status`] how often the broker was asked in vain
//!   and what is in memory.
//! - **Rows are read in the order of their positions**: a key with a long backlog is waited for by those that come after it.
//! - **What the broker refuses for good holds its own key alone**, until somebody releases or drops it.
//!
//! To ask something of another service from within a saga's step, add an event to an aggregate under the step's key, and have
//! the message made of that event: it goes out once, and after all that was said of the aggregate before, so that a request
//! and what takes it back never change places.
//!
//! The first columns of the table are those that Debezium's outbox event router reads (`id`, `aggregatetype`,
//! `aggregateid`, `type`, `payload`), so that a relay of that kind may take this one's place.
//!
//! ```
//! use std::time::Duration;
//! use atalaya_cqrs::outbox::{Broker, Message, Outbox, PublishError, Relay, RelayOptions};
//! use atalaya_eventstore::{Append, EventType, Expected, NewEvent, Read, Store, StreamName, Tables};
//! use tokio::sync::{mpsc, watch};
//!
//! /// Prints instead of publishing.
//! struct Printer(mpsc::UnboundedSender<String>);
//!
//! impl Broker for Printer {
//!     async fn publish(&self, message: &Message) -> Result<(), PublishError> {
//!         let line = format!("{}/{} {}", message.aggregate_type(), message.aggregate_id(), message.message_type());
//!         self.0.send(line).map_err(|_| PublishError::Unavailable("nobody listens".to_owned()))
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let store = Store::open_sqlite(&folder.path().join("journal.db"), Default::default()).await?;
//! # let placed = NewEvent::new(EventType::new("OrderPlaced")?, r#"{"items":3}"#);
//! # store.append(Append::to_stream(StreamName::new("order-7f3a")?, Expected::None, vec![placed])).await?;
//! # let page = store.read(Read::stream_from(StreamName::new("order-7f3a")?, 1, 1)).await?;
//! # let event = &page.events[0];
//! let tables = Tables::open_sqlite(&folder.path().join("tables.db")).await?;
//! let outbox = Outbox::open(tables.clone()).await?;
//! // As a projection's `effects` does for the projector to run it.
//! let statement = Message::of(event, r#"{"order":"7f3a","items":3}"#).insert().map_err(|poison| poison.0)?;
//! tables.run(vec![statement]).await?;
//! assert_eq!(outbox.status().await?.waiting, 1);
//!
//! let (sender, mut printed) = mpsc::unbounded_channel();
//! let relay = Relay::new(outbox.clone(), Printer(sender), RelayOptions::default());
//! let (stop, stopped) = watch::channel(false);
//! let relaying = tokio::spawn(async move { relay.run(stopped).await });
//! assert_eq!(printed.recv().await.as_deref(), Some("order/7f3a OrderPlaced"));
//! stop.send(true)?;
//! relaying.await??;
//! assert_eq!(outbox.status().await?.waiting, 0);
//! # Ok(())
//! # }
//! ```

mod batch;
mod broker;
mod error;
mod held;
mod in_hand;
mod lease;
mod message;
mod nats;
mod pauses;
mod relay;
mod round;
mod table;

pub use broker::{Broker, PublishError};
pub use error::OutboxError;
pub use held::Held;
pub use in_hand::{InHand, RelayStatus};
pub use message::Message;
pub use relay::{Relay, RelayOptions};
pub use table::{Outbox, Status};
