//! The Postgres wire protocol as bytes in, messages out.
