//! What Prometheus reads of a gateway that serves.

mod arbitrary;
mod endpoint;
mod http;
mod numbers;
mod parse;
mod waits;
