//! Connections for what the query driver cannot do: COPY in pieces whatever the row's size, and replication.
//!
//! Memory is bounded by pieces and by the largest single change, and given back afterwards. An end of the stream
//! that the protocol did not announce is always an error.

mod buffer;
mod cancel;
mod certificate;
mod connection;
mod copy_in;
mod copy_out;
mod error;
mod login;
mod pipe;
mod query;
mod replication;
mod stream;

pub use cancel::CancelTarget;
pub(crate) use cancel::GivenUp;
pub use certificate::server_end_point;
pub use connection::{ClientEncoding, WireConnection, WireOptions, WireParts};
pub use copy_in::CopyIn;
pub use copy_out::CopyOut;
pub use error::{LoginFailure, WireError};
pub use pipe::{CopyTotals, pipe_copy};
pub use query::SimpleResult;
pub use replication::{ReplicationEvent, ReplicationStream};
pub use stream::Stream;
pub(crate) use stream::{address_of, connect_limit, connect_tcp, connect_unix};
