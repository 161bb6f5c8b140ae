//! `atalaya sandbox`.

use crate::exit::{self, Failure};
use crate::global::Context;

/// Verbs of `atalaya sandbox`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SandboxCommand {
    /// Show its state.
    Status,
}

pub(crate) fn run(_command: SandboxCommand, _context: &Context) -> Result<u8, Failure> {
    Ok(exit::DONE)
}
