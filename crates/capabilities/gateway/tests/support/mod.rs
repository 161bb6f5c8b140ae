//! What the tests stand on: a gateway in this process, a client of the protocol's bytes, and a server that lies.

mod bytes;
mod client;
mod fake;
mod gateway;
mod message;
mod obedient;
mod panics;
mod property;

pub(crate) use bytes::*;
pub(crate) use client::{Client, Login};
pub(crate) use fake::{FakeServer, PIPELINE, fake_message};
pub(crate) use gateway::{Gateway, PASSWORD, Setup, gateway};
pub(crate) use message::{Message, tags};
pub(crate) use obedient::obedient_server;
pub(crate) use property::for_each;
