//! A front door that speaks Postgres's protocol on both sides: clients log in here, share connections to the servers
//! behind, and wait at its gate while their database moves.
//!
//! Bytes are passed on in the runs in which they came; only what names a prepared statement, or may change a session, is
//! looked at. What a client leaves in a server's session is found out by asking the server, before another client gets
//! it. Nothing here reads a row, and no statement or value of a client reaches a log.
//!
//! [`Configuration::resolve`] reads an estate's section, [`prepare`] makes a gateway of it, [`Prepared::serve`] serves.

pub mod admin;
mod cancel;
mod configuration;
mod database;
mod error;
mod gate;
mod gateway;
mod io;
mod kept;
mod knowing;
mod listen;
mod login;
mod metrics;
mod pool;
mod prepared;
mod reading;
mod route;
mod run;
mod server;
mod session;
mod settings;
mod statistics;

pub use configuration::{Configuration, ConfigurationError, verifier_of};
pub use error::GatewayError;
pub use gate::GateEpoch;
pub use metrics::render_metrics_reference;
pub use route::{OpenRoutes, Routing};
pub use run::{Control, Prepared, Reload, Start, prepare};
