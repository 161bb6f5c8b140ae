//! What the estate file says of the gateway: plain values, checked, without a connection or a socket.

mod listen;
mod login;
mod model;
mod verifier;

pub use listen::{ListenAddress, ListenError};
pub use login::{Secret, SecretError, SecretSource, ServerLogin, SourceError};
pub use model::{Gateway, GatewayAdmin, GatewayDatabase, GatewayTls, GatewayUser, Pooling, SessionCheck};
pub use verifier::{Verifier, VerifierError};
