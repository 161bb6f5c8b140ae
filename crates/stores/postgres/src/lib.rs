//! Everything said to a Postgres server: sessions, catalog, COPY, replication, dump and restore.

mod tls;
pub mod wire;

pub use tls::TlsError;
