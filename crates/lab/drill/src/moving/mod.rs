//! The move under faults: runs of the program that are watched, struck, and begun again by the same command.

mod arguments;
mod finishing;
mod run;
mod supervisor;

pub(crate) use arguments::Extra;
pub(crate) use supervisor::Supervisor;
