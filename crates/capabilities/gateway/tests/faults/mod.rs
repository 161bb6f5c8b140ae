//! Servers and networks that fail, and clients that do not read.

mod network;
mod restart;
mod slow;
