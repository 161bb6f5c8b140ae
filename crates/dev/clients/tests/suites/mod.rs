//! One module for what a kind of client is tried with.

mod drivers;
mod function_calls;
mod led;
mod pgbench;
mod regression;
mod tls;
