//! The Postgres wire protocol as bytes in, messages out.
//!
//! Nothing here opens a socket, waits or logs, so the same code serves a replication client and a proxy, and
//! every decoder can be fed arbitrary bytes in a test. Every length is checked before it is used: bytes from a
//! peer end in an error, never in a panic or in an allocation of the size they claim. The protocol is the one
//! of the PostgreSQL manual, chapter "Frontend/Backend Protocol", version 3.0.

mod backend;
mod copy;
mod error;
mod frame;
mod frontend;
pub mod pgoutput;
mod reader;
pub mod replication;
mod reported;
mod sasl;
pub mod server;
mod server_error;

pub use backend::{Authentication, BackendMessage, TransactionStatus};
pub use copy::{CopyDataWriter, Gathered};
pub use error::CodecError;
pub use frame::{Frame, FrameDecoder, FrameLimits, tag};
pub use frontend::{
    cancel_request, copy_done, copy_fail, md5_password, password, query, ssl_request, startup, terminate,
};
pub use reported::{REPORTED_BYTES_MAX, REPORTED_MAX, note_reported};
pub use sasl::{SaslClient, SaslMechanism};
pub use server_error::ServerError;
