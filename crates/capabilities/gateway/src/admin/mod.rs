//! Steering a gateway that serves: what is asked ([`Request`]), what is answered ([`Answer`]), and the socket by which
//! both travel, a JSON document a line.

mod deeds;
mod request;
mod socket;
mod status;

pub use request::{Answer, Refused, Request};
pub use socket::AdminSocket;
pub use status::{DatabaseStatus, GateStatus, GatewayStatus, KeptClient, PoolStatus, Quantiles};
