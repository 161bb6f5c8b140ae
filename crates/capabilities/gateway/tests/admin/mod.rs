//! Administration: what is said, by whom, from where.

mod arbitrary;
mod files;
mod protocol;
mod remote;
