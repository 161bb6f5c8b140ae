//! Everything that is said to a Postgres server.
//!
//! The only crate that uses a Postgres driver. Each connection starts with the session settings of
//! [`settings`], so that values have one text form whatever a database or role has set.

pub mod catalog;
mod clear_text;
pub mod control;
mod error;
pub mod fence_slot;
mod json;
pub mod load;
mod notification;
mod pipeline;
mod running_transactions;
mod session;
pub mod settings;
pub mod standby;
mod tls;
pub mod wire;

pub use atalaya_pgwire::ServerError;
pub use bytes::BytesMut;
pub use error::{Error, Retry};
pub use json::JsonText;
pub use notification::Notification;
pub use pipeline::Step;
pub use session::Session;
pub use tls::TlsError;
pub use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
pub use tokio_postgres::{Row, Statement};
