//! The journal: events in one gapless order, kept in SQLite or Postgres under one contract.
//!
//! An event is appended to a stream under an expected version, gets the next position of the whole journal, and never
//! changes again. Each one is chained to the one before it, so that whoever edits the store is found out. The crate
//! knows nothing of what the events mean.
//!
//! # What it promises
//!
//! - **An append is made whole or not at all**, over one stream or several, when every stream is as expected and every
//!   [`Guard`] holds. What was answered is durable.
//! - **The same append again gives the first answer**, by its identity, from any process and after a restart. Another
//!   body under the same identity, and an event that another append brought, are errors.
//! - **Positions are gapless and in the order of commits**: who has read up to a position misses nothing before it.
//! - **A subscriber gets every event at least once and in order**, from where its checkpoint was stored; a journal that
//!   is not the one its checkpoint was stored in, restored from an older backup for instance, is refused.
//! - **A slow store is felt**: the writer's queue is bounded, appends wait for a place in it and are then refused.
//!
//! # Using it
//!
//! ```
//! use atalaya_eventstore::{
//!     Append, Error, EventType, Expected, NewEvent, Options, Position, Read, Store, StreamName, Subscribe,
//! };
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("journal.db");
//! // Or `Store::open_postgres`, or `Store::open` of a `Place` that somebody has typed; nothing below is different then.
//! let store = Store::open_sqlite(&path, Options::default()).await?;
//!
//! let order = StreamName::new("order-7f3a")?;
//! let placed = NewEvent::new(EventType::new("OrderPlaced")?, r#"{"items":3}"#);
//! store.append(Append::to_stream(order.clone(), Expected::None, vec![placed])).await?;
//!
//! // Somebody else was quicker: nothing is written, and the error says which version there is.
//! let paid = NewEvent::new(EventType::new("OrderPaid")?, "{}");
//! let late = store.append(Append::to_stream(order.clone(), Expected::None, vec![paid.clone()])).await;
//! assert!(matches!(late, Err(Error::Conflict(_))));
//! store.append(Append::to_stream(order.clone(), Expected::Exact(1), vec![paid])).await?;
//!
//! // One stream from its first event on.
//! let page = store.read(Read::stream_from(order, 1, 100)).await?;
//! assert_eq!(page.events.len(), 2);
//!
//! // Everything, first what is there and then what comes; goes on where it was left.
//! let mut subscription = store.subscribe(Subscribe::to_all("mailer")).await?;
//! let batch = subscription.next().await?;
//! assert_eq!(batch.through, Position::new(2));
//! for event in &batch.events {
//!     println!("{} {} {}", event.position, event.stream, event.event_type.as_str());
//! }
//! subscription.store(batch.through).await?;
//!
//! store.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! A subscriber that must do a thing exactly once stores [`Batch::through`] in the transaction that holds what it did,
//! and reads with [`Store::pages`] from there, instead of storing its checkpoint here.

pub mod append;
mod backend;
mod chain;
pub mod checkpoint;
mod commit;
pub mod erase;
mod error;
mod event;
mod name;
mod options;
mod pages;
mod place;
mod position;
mod read;
pub mod secret;
mod snapshot;
mod store;
mod subscription;
mod tables;
mod upcast;
pub mod verify;
mod writer;

pub use append::{Append, Appended, Expected, Guard, StreamAppend};
pub use chain::{ConsistencyProof, Digest, Frontier, InclusionProof, NotADigest};
pub use error::{Conflict, Error};
pub use event::{AppendId, Event, EventId, NewEvent};
pub use name::{EventType, NameError, StreamName};
pub use options::Options;
pub use pages::Pages;
pub use place::Place;
pub use position::Position;
pub use read::{Direction, Page, Read, Selection};
pub use snapshot::Snapshot;
pub use store::Store;
pub use subscription::{Batch, Share, Subscribe, Subscription};
pub use tables::{Dialect, Ran, Row, Statement, Tables, TablesError, Value};
pub use upcast::Upcasters;
