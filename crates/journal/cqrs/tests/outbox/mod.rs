//! The outbox of both backends against a real broker.

mod acknowledgements;
mod child;
mod day;
mod measured;
mod orders;
mod outages;
mod refused;
mod relays;
mod table;

pub(crate) use orders::{server, stream};
