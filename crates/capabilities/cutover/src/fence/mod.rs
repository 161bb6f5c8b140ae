//! Keeps clients out of a database: REVOKE CONNECT from everybody but us, remembered exactly, under an epoch's number.
//!
//! `default_transaction_read_only` would be no fence, since any session turns it off. What is lifted is never raised again
//! under its number, so that a coordinator that wakes late cannot shut a server that clients are back on. Nobody is kept
//! out whom the server itself lets in always (superusers), or by the fencing role's own right (its members); both are
//! named before ([`crate::preflight`]).

mod acl;
mod error;
mod lift;
mod plan;
mod raise;
mod read;
mod statements;

pub use acl::{Entry, Grantable, Grantee, Privilege};
pub use atalaya_postgres::control::ClientFence;
pub use error::FenceError;
pub use lift::{lift, lift_standing, lifting};
pub use plan::{Plan, Power, Rights};
pub use raise::{Raised, raise, warm_up};
pub(crate) use read::rights;
pub use read::{plan, prepare, standing, trust};
