//! Bytes that no good client and no good server sends.

mod arbitrary;
mod bytes;
mod first;
mod requests;
mod servers;
mod split;
