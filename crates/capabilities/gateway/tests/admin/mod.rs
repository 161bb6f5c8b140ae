//! Administration: what is said, by whom, from where.

mod files;
mod protocol;
mod remote;
