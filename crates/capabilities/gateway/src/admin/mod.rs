//! Steering a gateway that serves: what is asked ([`Request`]), what is answered ([`Answer`]), and the two ways by which
//! both travel, a JSON document a line: a socket file ([`AdminSocket`]), and mutual TLS ([`RemoteAdmin`]).

mod conversation;
mod deeds;
mod network;
mod request;
mod socket;
mod status;
mod tls;

pub(crate) use deeds::look_at;
pub use network::RemoteAdmin;
pub(crate) use network::serve as serve_network;
pub use request::{Answer, Readiness, Refused, Request, Settled, Settlement};
pub use socket::AdminSocket;
pub(crate) use status::milliseconds;
pub use status::{DatabaseStatus, GateStatus, GatewayStatus, HeldFor, KeptClient, PoolStatus, Quantiles};
pub use tls::AdminIdentity;
pub(crate) use tls::AdminTls;
