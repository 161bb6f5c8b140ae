//! The server's side: on hand-made and on arbitrary bytes, against libpq, and against what Postgres itself does.

mod arbitrary;
mod client_messages;
mod exchange_arbitrary;
mod first;
mod libpq;
mod login;
mod postgres;
mod replies;
mod round_trips;
mod scram;
mod verifier;
