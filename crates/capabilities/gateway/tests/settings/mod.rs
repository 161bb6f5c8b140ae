//! Settings belong to the client that made them, whichever server serves it.

mod carried;
mod hidden;
mod startup;
