//! Prepared statements: a client's names are its own, whichever server has what they stand for.

mod changed;
mod gone;
mod names;
mod pipelines;
mod read;
mod sizes;
mod sql;
mod unnamed;
