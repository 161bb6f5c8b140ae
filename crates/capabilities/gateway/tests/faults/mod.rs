//! Servers and networks that fail, and clients that do not read.

mod login;
mod memory;
mod network;
mod restart;
mod slow;
