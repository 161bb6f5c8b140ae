//! The program's own verbs, run as processes of their own, and what they answer as JSON.
//!
//! Demo and drill play with these. Nothing here knows a server, prints or reads the environment: the caller says where
//! both sides are, and takes what is told through a [`Narrator`].

mod error;
mod figures;
mod narrator;
mod program;
mod proof;

pub use error::Error;
pub use figures::{grouped, number};
pub use narrator::{Event, Narrator};
pub use program::{Answer, Group, Naming, Program, ended, read_lines, shown};
pub use proof::{Found, Proof, Validation, expect_equal, prove, prove_equal, tables_done};
