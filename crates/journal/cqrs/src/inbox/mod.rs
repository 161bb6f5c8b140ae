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
//! No message is lost unsaid: where the stream's limits let go of one before it was handled, also of one between others,
//! [`Inbox::follow`] ends with [`InboxError::Gone`]. What was taken out from between others otherwise, by hand or by the word
//! of its sender (a time to live, a rollup), is not to be handled any more and is passed over; at the stream's beginning the
//! two cannot be told apart, and count as gone. Who reads a stream for the first time is meant by what it holds then.
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

mod error;
mod following;
mod message;

pub use error::{HandlerError, InboxError};
pub use following::Inbox;
pub use message::{Incoming, Unreadable};
