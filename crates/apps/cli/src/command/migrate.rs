//! `atalaya migrate`.

use crate::exit::{self, Failure};
use crate::global::Context;

/// Verbs of `atalaya migrate`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum MigrateCommand {
    /// Show its state.
    Status,
}

pub(crate) fn run(_command: MigrateCommand, _context: &Context) -> Result<u8, Failure> {
    Ok(exit::DONE)
}
