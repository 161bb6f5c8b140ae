//! The journal: events in one gapless order, kept in SQLite or Postgres under one contract.
//!
//! An event is appended to a stream under an expected version, gets the next position of the whole journal, and never
//! changes again. Each one is chained to the one before it, so that whoever edits the store is found out. The crate
//! knows nothing of what the events mean.

pub mod append;
mod backend;
mod chain;
pub mod checkpoint;
mod commit;
pub mod erase;
mod error;
mod event;
mod name;
mod position;
mod read;
pub mod secret;
mod store;

pub use append::{Append, Appended, Expected, Guard, StreamAppend};
pub use chain::{ConsistencyProof, Digest, Frontier, InclusionProof, NotADigest};
pub use error::{Conflict, Error};
pub use event::{AppendId, Event, EventId, NewEvent};
pub use name::{EventType, NameError, StreamName};
pub use position::Position;
pub use read::{Direction, Read, Selection};
pub use store::{Options, Store};
