//! The server's side of the protocol, as a gateway between clients and servers needs it.
//!
//! A gateway answers logins itself and relays nearly everything after. So the first packet, the password exchange
//! and what names a prepared statement are decoded in full, and of all else the header alone ([`header`]). Decoders
//! borrow from the bytes they are given and keep nothing; what is written goes to the end of a caller's buffer.
//! Limits are Postgres's own where it has them.

mod client_message;
mod cursor;
mod first;
mod header;
pub mod reply;
pub mod rewrite;
mod scram;
mod scram_verifier;
mod server_message;
mod write;

pub use client_message::{BindNames, Execute, Named, Parse, Query, SaslInitial, client_tag, password};
pub use first::{CancelKey, FirstPacket, STARTUP_BYTES_MAX, StartupRequest, first_packet};
pub use header::{HEADER_BYTES, LENGTH_MAX, header};
pub use reply::{Refusal, Severity};
pub use scram::{ScramFailure, ScramServer};
pub use scram_verifier::{InvalidVerifier, ScramVerifier};
pub use server_message::{
    ErrorFields, NegotiatedVersion, ParameterStatus, backend_key_data, error_field, error_fields,
};
