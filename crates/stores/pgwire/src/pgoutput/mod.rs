//! The messages of the decoding plugin `pgoutput`, protocol versions 1 to 4.
//!
//! Written after the manual's section "Logical Replication Message Formats". Version 2 (server 14) adds streamed
//! transactions, 3 (server 15) two-phase commit, 4 (server 16) the position of a parallel stream's abort.
//! Values share the memory of the message they came in.

mod decode;
mod message;

pub use decode::Decoder;
pub use message::{
    Begin, Commit, LogicalMessage, Message, OldTuple, Prepared, Relation, RelationColumn, ReplicaIdentity,
    RollbackPrepared, StreamAbort, StreamCommit, Truncate, Tuple, TypeName, Value,
};
