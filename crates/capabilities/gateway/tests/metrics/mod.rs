//! What Prometheus reads of a gateway that serves.

mod endpoint;
mod http;
mod numbers;
mod parse;
mod waits;
