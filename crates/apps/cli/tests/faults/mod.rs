//! Faults that come from outside: what was seen, the next step, the right exit code, nothing lost, nothing half done.

mod connecting;
mod contention;
mod disk;
mod network;
mod secrets;
mod stopped;
