//! One module for what a kind of client is tried with.

mod drivers;
mod function_calls;
mod led;
mod pgbench;
mod refused;
mod regression;
mod tls;
