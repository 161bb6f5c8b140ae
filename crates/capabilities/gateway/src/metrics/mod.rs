//! What Prometheus reads: counts and durations, never a statement, a value or a client's address.
//!
//! - `definitions`: every metric once, with its meaning and where its number comes from.
//! - `exposition`: the text format.
//! - `render`: a gateway's numbers as that text.
//! - `endpoint`: the HTTP side.
//! - `page`: the reference, from the same definitions.

mod definitions;
mod endpoint;
mod exposition;
mod page;
mod render;

pub(crate) use endpoint::serve;
pub use page::render_metrics_reference;
